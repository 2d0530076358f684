"""What a run brings along, on a real cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import TemporaryError
from broker_config.runs import new_run_id
from broker_config.states import Reason
from tests.cluster import JOBS, cluster, namespace, registry
from workers.builders.protocol import Artifact, ArtifactKind
from workers.failures import RunFailed
from workers.kubernetes.resource import CONFIG_MAPS, PODS, Resource
from workers.targets.contract.case import workload_of
from workers.targets.contract.waiting import eventually
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.protocol import Phase, Request

DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings-of-a-run"}, "data": {"a": "1"}}


class Lab:
    """A target, and jobs that bring services along, in a namespace of the test's own."""

    def __init__(self, home: Path, space: str) -> None:
        self.space = space
        self.target = KubernetesTarget(home)

    def request(self, *services: dict[str, Any], **config: Any) -> Request:
        artifact = Artifact(ArtifactKind.IMAGE, f"{registry()}/library/python:3.11-slim")
        listed = [{"name": f"Service {number}", "config": one} for number, one in enumerate(services)]
        own = {"namespace": self.space, "additional_services": listed, **config}
        workload = workload_of(f"launchyard-{new_run_id()}-1", artifact, ["echo", "trained"], config=own)
        return self.target.render(workload)

    def submit(self, request: Request) -> bool:
        """Whether it needs no other try."""
        try:
            self.target.submit(request)
        except TemporaryError:
            return False
        return True

    def phase(self, request: Request) -> Phase | None:
        seen = self.target.observe([request.name]).get(request.name)
        return seen.phase if seen is not None else None

    def object(self, request: Request) -> dict[str, Any] | None:
        return cluster().find(JOBS.path(self.space, Handle.parse(request.name).name))

    def is_bare(self) -> bool:
        """Whether nothing is left of what runs have brought along."""
        paths = [DEPLOYMENTS.path(self.space), PODS.path(self.space), CONFIG_MAPS.path(self.space)]
        left = [one for path in paths for one in cluster().listed(path, "launchyard/service-of")]
        return not left


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    with namespace() as space:
        yield Lab(home, space)


def server(*command: str) -> dict[str, Any]:
    """A Deployment of one pod that is ready when the command succeeds in it."""
    probe = {"exec": {"command": [*command]}, "periodSeconds": 1}
    container = {
        "name": "server",
        "image": f"{registry()}/library/python:3.11-slim",
        "command": ["sleep", "1000"],
        "readinessProbe": probe,
    }
    labels = {"app": "server"}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def test_a_job_starts_when_what_it_brings_along_is_ready(lab: Lab) -> None:
    # Given a server that takes its time
    slow = server("sh", "-c", "test $(($(date +%s) - $(stat -c %Y /proc/1))) -ge 3")
    request = lab.request(slow, SETTINGS, ttlSecondsAfterFailed=600, spec={"ttlSecondsAfterFinished": 600})
    # When
    assert not lab.submit(request)
    # Then the job is held, and its services are none of its pods
    made = lab.object(request)
    assert made is not None
    assert made["spec"]["suspend"] is True
    assert lab.target.read_logs(request.name, "").lines == ()
    # When it is submitted again and again, as an agent does
    eventually(lambda: lab.submit(request), 60)
    eventually(lambda: lab.phase(request) is Phase.SUCCEEDED, 60)
    # Then
    (deployment,) = cluster().get(DEPLOYMENTS.path(lab.space))["items"]
    assert re.fullmatch(r"service-0-launchyard-[a-z0-9]+-1", deployment["metadata"]["name"])
    assert deployment["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert lab.target.read_logs(request.name, "").lines == ["trained"]
    # And its end ends them, also where the job's own object stays
    lab.target.release(request.name)
    eventually(lab.is_bare, 30)
    assert lab.object(request) is not None


def test_what_a_cancelled_job_has_brought_along_goes_with_it(lab: Lab) -> None:
    # Given
    request = lab.request(server("true"), SETTINGS)
    lab.submit(request)
    assert not lab.is_bare()
    # When
    lab.target.cancel(request.name, 0)
    # Then
    eventually(lab.is_bare, 30)


def test_a_run_whose_services_are_not_ready_in_time_fails_with_what_is_missing(lab: Lab) -> None:
    # Given
    request = lab.request(server("false"), wait_timeout=1)

    def failure() -> RunFailed | None:
        try:
            lab.submit(request)
        except RunFailed as error:
            return error
        return None

    # When
    failed = eventually(failure, 30)
    # Then
    assert failed is not None
    assert "not ready after 1 s: Deployment service-0-" in str(failed)
    assert "is not Available: " in str(failed)
    eventually(lambda: lab.object(request) is None and lab.is_bare(), 30)


def test_a_service_of_another_run_is_not_taken_for_ones_own(lab: Lab) -> None:
    # Given
    first = lab.request(SETTINGS)
    assert lab.submit(first)
    # When
    with pytest.raises(RunFailed, match=r"settings-of-a-run exists .* write \$\{run_id\}") as refused:
        lab.submit(lab.request(SETTINGS))
    # Then
    assert refused.value.reason is Reason.NAME_TAKEN
    assert not lab.is_bare()


def test_what_the_cluster_has_against_a_service_is_told_before_there_is_one(lab: Lab) -> None:
    # Given
    wrong = {**SETTINGS, "dato": {}}
    everywhere = {"apiVersion": "v1", "kind": "Namespace"}
    # When
    found = [one.text for one in lab.target.rehearse(lab.request(wrong, {"apiVersion": "v1", "kind": "Nothing"}))]
    # Then
    assert any("of ConfigMap settings-of-a-run: " in text and "dato" in text for text in found)
    assert any("no kind Nothing in v1" in text for text in found)
    with pytest.raises(RunFailed, match="a Namespace belongs to no namespace"):
        lab.submit(lab.request(everywhere))
