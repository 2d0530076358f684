"""What a real cluster says to a job before there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import JOBS, NAMESPACES, account, cluster, device, namespace, until
from workers.builders.protocol import Artifact, ArtifactKind
from workers.kubernetes.cluster import MERGE_PATCH
from workers.kubernetes.resource import PODS, Resource
from workers.targets.contract.case import workload_of
from workers.targets.kubernetes.target import KubernetesTarget

QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")


@pytest.fixture
def space() -> Iterator[str]:
    with namespace() as name:
        yield name


@pytest.fixture
def target(home: Path) -> KubernetesTarget:
    return KubernetesTarget(home)


def rehearsed(target: KubernetesTarget, space: str, resources: Mapping[str, Any], **config: Any) -> list[str]:
    """What is said of a job with one container that asks for these resources."""
    spec = {"template": {"spec": {"containers": [{"resources": resources}]}}}
    image = Artifact(ArtifactKind.IMAGE, "launchyard.invalid/rehearsal:1")
    job = workload_of("launchyard-rehearsed-1", image, ["true"], config={"namespace": space, "spec": spec, **config})
    return [f"{one.severity}: {one.text}" for one in target.rehearse(target.render(job))]


def limit(space: str, name: str, **hard: str) -> None:
    """Set a quota, and wait until the server goes by it."""
    body = {
        "metadata": {"name": name},
        "spec": {"hard": {key.replace("__", "/"): value for key, value in hard.items()}},
    }
    cluster().call("POST", QUOTAS.path(space), body=body)
    until(lambda: "hard" in cluster().get(QUOTAS.path(space, name)).get("status", {}))


def test_a_job_that_the_cluster_takes_is_not_made(target: KubernetesTarget, space: str) -> None:
    # When
    said = rehearsed(target, space, {"limits": {"cpu": 1}})
    # Then
    assert said == []
    assert not cluster().get(JOBS.path(space))["items"]
    assert not cluster().get(PODS.path(space))["items"]


def test_a_field_and_a_namespace_that_are_not_there_are_refused(target: KubernetesTarget, space: str) -> None:
    (amount,) = rehearsed(target, space, {"limits": {"cpu": "x"}})
    (place,) = rehearsed(target, "launchyard-nowhere", {})

    assert amount.startswith("error: ")
    assert "quantities must match" in amount
    assert 'namespaces "launchyard-nowhere" not found' in place


def test_a_quota_of_objects_and_one_of_the_gpus_of_pods_are_told(target: KubernetesTarget, space: str) -> None:
    # Given a quota that the server looks at only when pods are made
    limit(space, "gpus", **{"requests.nvidia.com__gpu": "2"})
    # Then
    (said,) = rehearsed(target, space, {"limits": {"nvidia.com/gpu": 4}})
    assert said.startswith("error: of its pods: ")
    assert "exceeded quota: gpus, requested: requests.nvidia.com/gpu=4" in said
    # When there is room for pods, but not for jobs
    limit(space, "jobs", **{"count__jobs.batch": "0"})
    # Then
    (said,) = rehearsed(target, space, {"limits": {"nvidia.com/gpu": 2}})
    assert "exceeded quota: jobs" in said


def test_devices_that_no_node_has_are_told(target: KubernetesTarget, space: str) -> None:
    with device(2) as name:
        # Then
        (other,) = rehearsed(target, space, {"limits": {"launchyard.example/other": 1}})
        (more,) = rehearsed(target, space, {"limits": {name: 3}})
        assert rehearsed(target, space, {"limits": {name: "2"}}) == []
    assert other.startswith("warning: its pods would wait for a node that there is not now: no node has")
    assert name in other.partition("there are nodes with")[2]
    assert more.endswith(f"it asks for 3 x {name} on one node, and the largest that it may go to has 2")


def test_pod_security_warns_where_it_only_warns(target: KubernetesTarget, space: str) -> None:
    # Given
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    cluster().call("PATCH", NAMESPACES.path(None, space), None, {"metadata": {"labels": labels}}, MERGE_PATCH)
    # When
    said = until(lambda: rehearsed(target, space, {}), 10)
    # Then it is said once, though job and pod are both warned of
    (one,) = said
    assert one.startswith('warning: the cluster warns: would violate PodSecurity "restricted:latest"')


def test_rights_that_are_missing_are_listed_by_verb_and_kind(
    target: KubernetesTarget, space: str, tmp_path: Path
) -> None:
    # Given somebody who may look at jobs and nothing else
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]}]
    login = account(space, rules, tmp_path)
    # When
    (said,) = rehearsed(target, space, {}, configFile=login)
    # Then
    assert said.startswith(f"error: in namespace {space} an agent needs rights that are not there: create jobs.batch")
    assert "get pods/log" in said
    assert "list jobs.batch" not in said


def test_who_may_make_jobs_and_no_pods_is_told_what_was_not_asked(
    target: KubernetesTarget, space: str, tmp_path: Path
) -> None:
    # Given the rights of an agent
    verbs = {"batch": {"jobs": "*"}, "": {"configmaps": "*", "pods/log": "get", "events": "list"}}
    rules = [
        {"apiGroups": [group], "resources": [kind], "verbs": [verb]}
        for group, kinds in verbs.items()
        for kind, verb in kinds.items()
    ]
    rules.append({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "deletecollection"]})
    login = account(space, rules, tmp_path)
    # Then
    (said,) = rehearsed(target, space, {}, configFile=login)
    assert said.startswith("warning: quotas and policies of pods were not asked about")
