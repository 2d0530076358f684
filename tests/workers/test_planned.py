"""A plan's request is the same on both sides, and an agent sends no other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import CodeSource, ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import RunId, RunSpec, now
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.planned import keep_to_plan, planned_workload
from workers.targets import docker
from workers.targets.stub import StubTarget

CODE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)


def spec_of(resource: str = "stub", config: dict[str, Any] | None = None, **job: Any) -> RunSpec:
    return RunSpec(
        id=RunId("abcdefghijkm"),
        name="train-abcdef",
        queue=Queue(name="gpu", resource=resource, config=config or {}),
        queue_revision=1,
        job=Job(**{"source": ImageSource(image="team/train:1"), **job}),
        priority=Priority.MEDIUM,
        author="alice",
        created_at=now(),
    )


def planned(spec: RunSpec, target: StubTarget) -> RunSpec:
    digest = target.render(planned_workload(spec, target.artifact)).digest
    return spec.model_copy(update={"planned": digest})


def test_what_is_known_after_the_build_only_is_a_placeholder() -> None:
    # Given a job that is built, and a queue with macros
    spec = spec_of("docker", {"env": ["AT=${image_uri} ${REGION}"]}, source=CODE, entry_point=("python",))

    # When
    body = docker.render(planned_workload(spec, ArtifactKind.IMAGE)).body

    # Then
    assert body["container"]["Image"] == "${image_uri}"
    assert "AT=${image_uri} ${REGION}" in body["container"]["Env"]


def test_an_image_that_exists_is_in_the_request() -> None:
    assert planned_workload(spec_of(), ArtifactKind.IMAGE).artifact.reference == "team/train:1"


def test_a_base_image_is_in_the_request_and_the_code_is_not_known_yet() -> None:
    found = planned_workload(spec_of(source=CODE, base_image="python:3.12"), ArtifactKind.IMAGE)

    assert (found.artifact.reference, found.folder) == ("python:3.12", Path("${code}"))


def test_a_run_that_is_as_it_was_planned_is_carried_out_and_one_without_a_plan_too(home: Path) -> None:
    # Given
    target, spec = StubTarget(home), spec_of()

    # When, then nothing is raised
    keep_to_plan(planned(spec, target), target)
    keep_to_plan(spec, target)


@pytest.mark.parametrize(
    "change",
    [
        {"job": Job(source=ImageSource(image="team/other:1"))},
        {"overrides": {"seconds": 99.0}},
        {"queue": Queue(name="gpu", resource="stub", config={"seconds": 99.0})},
        {"author": "mallory"},
    ],
)
def test_a_run_that_was_changed_after_its_plan_is_refused(home: Path, change: dict[str, Any]) -> None:
    # Given
    target = StubTarget(home)
    changed = planned(spec_of(), target).model_copy(update=change)

    # When
    with pytest.raises(RunFailed, match="is not the plan's") as raised:
        keep_to_plan(changed, target)

    # Then
    assert (raised.value.failure, raised.value.reason) == (FailureClass.CONFIG, Reason.PLAN_DIFFERS)
