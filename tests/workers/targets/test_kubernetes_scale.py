"""What many live runs that do nothing cost: no call more than few do, and some hundred bytes each."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker_config.runs import new_run_id
from tests.calls import calls
from tests.cluster import JOBS, namespace, until
from tests.fake_nodes import fake_nodes
from workers.builders.protocol import Artifact, ArtifactKind
from workers.kubernetes.cluster import Cluster
from workers.kubernetes.probe import Probe
from workers.kubernetes.room import Room
from workers.targets.contract.case import workload_of
from workers.targets.kubernetes.scope import Scope
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.protocol import Phase, Workload

FEW, MANY = 10, 100
OBJECTS = 2000
BYTES_OF_A_RUN = 4000
"""Of the 20 KB that a live run may take of an agent."""

IMAGE = Artifact(ArtifactKind.IMAGE, "registry.example.com/team/train:1")


@contextmanager
def _watching(target: KubernetesTarget) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=target.watch, args=(lambda _: None, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _workload(config: dict[str, Any]) -> Workload:
    return workload_of(f"launchyard-{new_run_id()}-1", IMAGE, ["train"], config=config)


def test_runs_that_do_nothing_cost_no_calls_however_many_there_are(home: Path) -> None:
    with fake_nodes() as where, namespace() as space, calls() as counted:
        target = KubernetesTarget(home)
        config = {"metadata": {"namespace": space}, "spec": {"template": {"spec": where}}}
        names: list[str] = []

        def submit(_: int) -> str:
            request = target.render(_workload(config))
            target.submit(request)
            return request.name

        def all_run() -> bool:
            return all(one.phase is Phase.RUNNING for one in target.observe(names).values())

        with _watching(target):
            for count in (FEW, MANY):
                # Given
                with ThreadPoolExecutor(8) as threads:
                    names += threads.map(submit, range(count - len(names)))
                until(all_run)
                before = counted.count
                # When
                seen = target.observe(names)
                # Then
                assert len(seen) == count
                assert counted.count - before <= 2  # a watch of a minute that ends in this moment
        assert counted.count > 3 * MANY  # so they are counted


def test_of_each_run_only_what_is_needed_is_kept(home: Path) -> None:
    # Given
    rendered = KubernetesTarget(home).render(_workload({})).body["object"]
    env = [{"name": f"SETTING_{number}", "value": "value " * 8} for number in range(100)]
    rendered["spec"]["template"]["spec"]["containers"][0]["env"] = env
    text = json.dumps({**rendered, "status": {"active": 1, "ready": 1}})
    unasked = Cluster()
    scope = Scope(unasked, "default", lambda _: None, Room(unasked), Probe(unasked))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        # When
        for number in range(OBJECTS):
            found = json.loads(text)
            found["metadata"] |= {"name": f"launchyard-{number:012}-1", "uid": f"{number:036}"}
            found["metadata"]["labels"]["launchyard/run-id"] = f"{number:012}"
            scope.put(JOBS, found)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Then
    assert used / OBJECTS < BYTES_OF_A_RUN
