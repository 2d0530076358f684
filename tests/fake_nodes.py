"""Nodes of the test cluster that only say that their pods run, for tests of more pods than a machine could hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.cluster import cluster, has_condition, registry, until
from tests.ports import free_port
from tests.services import require
from workers.kubernetes.resource import NODES

PODS_OF_A_NODE = 2000

_STAGES = Path(__file__).parent / "lab" / "kwok" / "stages.yaml"
_LABEL = "fake-nodes"
_STOP_SECONDS = 10.0


@contextmanager
def fake_nodes(count: int = 1) -> Iterator[dict[str, Any]]:
    """Ready nodes with room for 2,000 pods each. Gives what a pod's spec must say to be put there.

    A pod runs at once and until it is deleted, or for as long as its annotation `fake/ends-after` says (such as `3s`),
    and then ends with the code in `fake/exit-code`. What runs there is to be deleted inside.
    """
    require(shutil.which("kwok") is not None, "KWOK is missing: tests/lab/kwok.sh build, and its `path` on PATH")
    mark = uuid.uuid4().hex[:8]
    names = [f"fake-{mark}-{number}" for number in range(count)]
    for name in names:
        cluster().call("POST", NODES.path(None), body=_node(name, mark))
    try:
        with _kwok(mark):
            for name in names:
                until(partial(_is_ready, name))
            yield {"nodeSelector": {_LABEL: mark}, "tolerations": [{"key": _LABEL, "operator": "Exists"}]}
    finally:
        for name in names:
            cluster().delete(NODES.path(None, name))


@contextmanager
def _kwok(mark: str) -> Iterator[None]:
    """The program that speaks for the nodes with that label."""
    command = ["kwok", "--kubeconfig", os.environ["KUBECONFIG"], "--config", str(_STAGES)]
    chosen = ["--manage-nodes-with-label-selector", f"{_LABEL}={mark}", "-v", "ERROR"]
    process = subprocess.Popen([*command, *chosen, *_address()])
    try:
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _address() -> list[str]:
    """Where it answers for logs, as the kubelet of the lab's real node does; on other clusters there are none."""
    if (node := os.environ.get("LAUNCHYARD_TEST_CLUSTER_NODE")) is None:
        return []
    host, port = registry().partition(":")[0], free_port()
    certificate = ["--tls-cert-file", f"{node}.crt", "--tls-private-key-file", f"{node}.key"]
    return ["--node-ip", host, "--node-port", str(port), "--server-address", f"{host}:{port}", *certificate]


def _is_ready(name: str) -> bool:
    return has_condition(cluster().get(NODES.path(None, name)), "Ready")


def _node(name: str, mark: str) -> dict[str, Any]:
    room = {"cpu": "10000", "memory": "100Ti", "pods": str(PODS_OF_A_NODE), "nvidia.com/gpu": "10000"}
    return {
        "metadata": {"name": name, "labels": {_LABEL: mark, "kubernetes.io/hostname": name}},
        "spec": {"taints": [{"key": _LABEL, "value": mark, "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room},
    }
