"""What other tests rely on: pods of fake nodes run, end and go as real ones do."""

from __future__ import annotations

from typing import Any

from tests.cluster import JOBS, cluster, has_condition, namespace, until
from tests.fake_nodes import fake_nodes
from workers.kubernetes.pods import read
from workers.kubernetes.resource import PODS


def _job(name: str, where: dict[str, Any], **annotations: str) -> dict[str, Any]:
    pod = {**where, "restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}
    marks = {f"fake/{one.replace('_', '-')}": value for one, value in annotations.items()}
    template = {"metadata": {"annotations": marks}, "spec": pod}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}


def test_pods_of_a_fake_node_run_until_they_end_or_are_deleted() -> None:
    with fake_nodes() as where, namespace() as space:

        def job(name: str) -> dict[str, Any]:
            return cluster().get(JOBS.path(space, name))

        # When
        jobs = [
            _job("good", where, ends_after="1s"),
            _job("bad", where, ends_after="1s", exit_code="3"),
            _job("stays", where),
        ]
        for one in jobs:
            cluster().call("POST", JOBS.path(space), body=one)
        # Then
        until(lambda: has_condition(job("good"), "Complete"))
        until(lambda: has_condition(job("bad"), "Failed"))
        (pod,) = cluster().listed(PODS.path(space), "job-name=bad")
        trouble = read(pod).trouble
        assert trouble is not None
        assert trouble.exit_code == 3
        assert job("stays")["status"]["ready"] == 1
        # When
        cluster().delete(JOBS.path(space, "stays"), options={"propagationPolicy": "Foreground"})
        # Then
        until(lambda: cluster().find(JOBS.path(space, "stays")) is None)
