from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import cluster, has_condition, namespace, registry, until
from workers.kubernetes.cluster import Refused
from workers.kubernetes.pods import PodPhase, read
from workers.kubernetes.resource import PODS


@pytest.fixture(name="namespace")
def namespace_of_the_test() -> Iterator[str]:
    with namespace() as name:
        yield name


def test_a_job_runs_on_a_real_node_and_leaves_its_log(namespace: str) -> None:
    # Given
    jobs = cluster().resource("batch/v1", "Job")
    container = {"name": "main", "image": f"{registry()}/pause:1", "command": ["/busybox", "echo", "hello"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    job = {"metadata": {"name": "hello"}, "spec": {"template": {"spec": pod}}}
    # When
    cluster().call("POST", jobs.path(namespace), body=job)
    until(lambda: has_condition(cluster().get(jobs.path(namespace, "hello")), "Complete"))
    # Then
    (found,) = cluster().get(PODS.path(namespace), {"labelSelector": "job-name=hello"})["items"]
    assert read(found).phase is PodPhase.SUCCEEDED
    with cluster().stream(PODS.path(namespace, found["metadata"]["name"], "log"), {}, 10) as log:
        assert log.read() == b"hello\n"


def test_a_name_that_is_taken_is_told_apart_from_other_refusals(namespace: str) -> None:
    # Given
    jobs = cluster().resource("batch/v1", "Job")
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}
    job = {"metadata": {"name": "once"}, "spec": {"suspend": True, "template": {"spec": pod}}}
    cluster().call("POST", jobs.path(namespace), body=job)
    # When
    with pytest.raises(Refused) as refused:
        cluster().call("POST", jobs.path(namespace), body=job)
    # Then
    assert refused.value.is_conflict
    assert refused.value.words == "AlreadyExists"
