"""A machine that has never sent a job finds those of others, and says where it could not look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import cluster, namespace
from tests.workers.targets.test_kubernetes import Lab, pod_spec
from workers.kubernetes.resource import Resource
from workers.targets.kubernetes.target import KubernetesTarget

ROLES = Resource("rbac.authorization.k8s.io/v1", "Role", "roles")
BINDINGS = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
WAITING: Any = {"spec": {"suspend": True, **pod_spec(containers=[{}])}}
POD: Any = {"apiVersion": "v1", "kind": "Pod", "spec": {"schedulerName": "nobody", "containers": [{}]}}


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    with namespace() as space:
        yield Lab(home, space)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The home of another machine."""
    folder = tmp_path / "another"
    folder.mkdir()
    return folder


def limited(space: str, folder: Path) -> Path:
    """A kubeconfig with rights on the jobs and marks of one namespace, and on nothing else."""
    rule = {"apiGroups": ["batch", ""], "resources": ["jobs", "configmaps"], "verbs": ["*"]}
    cluster().call("POST", ROLES.path(space), body={"metadata": {"name": "jobs"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jobs"}
    body = {"metadata": {"name": "jobs"}, "roleRef": role, "subjects": [subject]}
    cluster().call("POST", BINDINGS.path(space), body=body)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = cluster().call("POST", ACCOUNTS.path(space, "default", "token"), body=asked)
    content = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    content["users"][0]["user"] = {"token": answer["status"]["token"]}
    content["contexts"][0]["context"]["namespace"] = space
    config = folder / "limited"
    config.write_text(yaml.safe_dump(content))
    return config


def test_objects_of_other_kinds_and_namespaces_are_found_without_a_word_of_where_they_are(
    lab: Lab, empty: Path
) -> None:
    # Given
    names = {lab.submit("true", **WAITING), lab.submit("true", **POD)}
    another = KubernetesTarget(empty)
    assert not names & {*another.inventory()}
    # Then
    assert not [text for text in another.search() if lab.space in text]
    assert names <= {*another.inventory()}
    # And they are known from then on
    assert names <= {*KubernetesTarget(empty).inventory()}


def test_what_may_not_be_listed_is_told(lab: Lab, empty: Path, tmp_path: Path) -> None:
    # Given
    job, pod = lab.submit("true", **WAITING), lab.submit("true", **POD)
    another = KubernetesTarget(empty)
    # When
    another.learn({"configFile": str(limited(lab.space, tmp_path))})
    told = another.search()
    # Then
    assert another.inventory() == [job]
    assert pod not in another.inventory()
    assert any(f"jobs were looked for in namespace {lab.space} of" in one for one in told)
    assert any(one.startswith("pods, ") and "were not looked for" in one for one in told)


def test_the_place_of_a_queue_is_known_before_its_first_run(lab: Lab, empty: Path) -> None:
    # Given
    name = lab.submit("true", **POD)
    another = KubernetesTarget(empty)
    # When
    another.learn({**POD, "namespace": "{{space}}"})
    # Then
    assert name not in another.inventory()
    # When
    another.learn({**POD, "namespace": lab.space})
    # Then
    assert another.inventory() == [name]
