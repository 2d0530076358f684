"""The Kubernetes cluster that tests run on: whichever `KUBECONFIG` names, each test in a namespace of its own."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from broker_config.errors import LaunchyardError
from tests.services import require
from workers.kubernetes.cluster import MERGE_PATCH, Cluster
from workers.kubernetes.resource import NODES, Resource

Found = TypeVar("Found")

NAMESPACES = Resource("v1", "Namespace", "namespaces", is_namespaced=False)
JOBS = Resource("batch/v1", "Job", "jobs")
_ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
_ROLES = Resource("rbac.authorization.k8s.io/v1", "Role", "roles")
_BINDINGS = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")


@cache
def _connected() -> Cluster | None:
    found = Cluster()
    try:
        found.get("/version")
    except LaunchyardError:
        return None
    return found


def cluster() -> Cluster:
    """Skips the test where no cluster answers."""
    # Not any cluster that kubectl would find in a home folder: somebody's real work may be on it.
    found = _connected() if "KUBECONFIG" in os.environ else None
    require(found is not None, "no Kubernetes cluster answers; see tests/lab/kubernetes.sh, and let KUBECONFIG name it")
    assert found is not None
    return found


def registry() -> str:
    """The registry of the lab, with its images; skips the test where there is none."""
    found = os.environ.get("LAUNCHYARD_TEST_CLUSTER_REGISTRY", "")
    require(bool(found), "the cluster has no registry for tests; source the env that tests/lab/kubernetes.sh wrote")
    return found


@contextmanager
def namespace() -> Iterator[str]:
    """A new namespace that takes pods; removed afterwards with all that is in it."""
    name = f"launchyard-test-{uuid.uuid4().hex[:8]}"
    cluster().call("POST", NAMESPACES.path(None), body={"metadata": {"name": name}})
    try:
        until(lambda: cluster().find(_ACCOUNTS.path(name, "default")))
        yield name
    finally:
        cluster().call("DELETE", NAMESPACES.path(None, name))


@contextmanager
def device(count: int) -> Iterator[str]:
    """A device of a name of its own, of which a node that takes every pod has so many."""
    name = f"launchyard.example/gpu-{uuid.uuid4().hex[:8]}"
    nodes = cluster().get(NODES.path(None))["items"]
    node = next(one["metadata"]["name"] for one in nodes if not one["spec"].get("taints"))

    def offer(amount: str | None) -> None:
        status = {"capacity": {name: amount}, "allocatable": {name: amount}}
        cluster().call("PATCH", NODES.path(None, node, "status"), None, {"status": status}, MERGE_PATCH)

    offer(str(count))
    try:
        yield name
    finally:
        offer(None)


def account(space: str, rules: list[dict[str, Any]], folder: Path) -> str:
    """A kubeconfig for a new account with these rights in a namespace."""
    own = {"metadata": {"name": "limited"}}
    cluster().call("POST", _ACCOUNTS.path(space), body=own)
    cluster().call("POST", _ROLES.path(space), body={**own, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"}
    subjects = [{"kind": "ServiceAccount", "name": "limited", "namespace": space}]
    cluster().call("POST", _BINDINGS.path(space), body={**own, "roleRef": role, "subjects": subjects})
    path = _ACCOUNTS.path(space, "limited", "token")
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = cluster().call("POST", path, body=asked)["status"]["token"]
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def until(look: Callable[[], Found | None], seconds: float = 60) -> Found:
    """What `look` finds, once it does."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return found


def has_condition(found: dict[str, Any], kind: str) -> bool:
    """Whether an object says that of itself."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)
