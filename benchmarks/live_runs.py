"""Many live runs on a Kubernetes cluster, on nodes that only say that their pods run: what the target makes of them."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.config import load_kube_config

from benchmarks.yard import until
from broker_config.runs import new_run_id
from tests.calls import Calls, calls
from tests.cluster import namespace
from tests.fake_nodes import PODS_OF_A_NODE, fake_nodes
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets.contract.case import workload_of
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.protocol import Phase

THREADS = 8
"""As many as an agent has."""

PEERS = 100
QUIET_SECONDS = 60.0
START_SECONDS = 3600.0

_IMAGE = Artifact(ArtifactKind.IMAGE, "registry.example.com/team/train:1")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of so many live runs."""

    submits_per_second: float
    peers_per_second: float
    kib_per_run: float
    calls_per_minute: float
    cpu_percent: float  # of one core, with all runs looked at twice a minute


def cost(runs: int) -> Cost:
    """Start so many runs that do nothing, and look at this process for a while.

    Raises:
        pytest.skip.Exception: when there is no cluster, or no KWOK.
    """
    with fake_nodes(runs // (PODS_OF_A_NODE - 200) + 1) as where, namespace() as space, calls() as counted:
        config = {"metadata": {"namespace": space}, "spec": {"template": {"spec": where}}}
        with _watching() as target:
            names = _submit(target, config, 1)
            before = _resident()
            began = time.monotonic()
            names += _submit(target, config, runs - 1)
            submits = (runs - 1) / (time.monotonic() - began)
            until(lambda: _all_run(target, names), START_SECONDS)
            kib = (_resident() - before) / 1024 / (runs - 1)
            quiet_calls, cpu = _quiet(target, names, counted)
            peers = PEERS / _peer_seconds(space, where)
    return Cost(submits, peers, kib, quiet_calls, cpu)


@contextmanager
def _watching() -> Iterator[KubernetesTarget]:
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="ly-") as home:
        target = KubernetesTarget(Path(home))
        thread = threading.Thread(target=target.watch, args=(lambda _: None, stop))
        thread.start()
        try:
            yield target
        finally:
            stop.set()
            thread.join()


def _submit(target: KubernetesTarget, config: dict[str, Any], runs: int) -> list[str]:
    def submit(_: int) -> str:
        request = target.render(workload_of(f"launchyard-{new_run_id()}-1", _IMAGE, ["train"], config=config))
        target.submit(request)
        return request.name

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(submit, range(runs)))


def _all_run(target: KubernetesTarget, names: Sequence[str]) -> bool:
    time.sleep(1)
    return all(one.phase is Phase.RUNNING for one in target.observe(names).values())


def _quiet(target: KubernetesTarget, names: Sequence[str], counted: Calls) -> tuple[float, float]:
    """Calls a minute, and percent of a core, while nothing happens."""
    made, cpu = counted.count, time.process_time()
    for _ in range(2):
        target.observe(names)
        time.sleep(QUIET_SECONDS / 2)
    return (counted.count - made) * 60 / QUIET_SECONDS, 100 * (time.process_time() - cpu) / QUIET_SECONDS


def _peer_seconds(space: str, where: dict[str, Any]) -> float:
    """Of Jobs made by the Kubernetes client, one after the other."""
    load_kube_config()
    api = client.BatchV1Api()
    pod = {**where, "restartPolicy": "Never", "containers": [{"name": "main", "image": _IMAGE.reference}]}
    job = {"metadata": {"generateName": "peer-"}, "spec": {"template": {"spec": pod}}}
    began = time.monotonic()
    for _ in range(PEERS):
        api.create_namespaced_job(space, job)
    return time.monotonic() - began


def _resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
