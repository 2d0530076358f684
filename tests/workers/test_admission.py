"""An agent looks at a run before it builds for it, whatever its producer did."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.jobs import CodeSource, ImageSource, Job, Source
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Run, RunId, RunSpec, now
from broker_config.states import FailureClass, Reason, State
from workers.admission import Admission
from workers.builders.protocol import Artifact, ArtifactKind
from workers.failures import RunFailed
from workers.macros import Macros, from_environment
from workers.prepare import Prepared
from workers.submit import workload
from workers.wandb import Wandb

IMAGE = ImageSource(image="team/train:1")
CODE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)
GPUS = {"type": "integer", "maximum": 8, "default": 1}


def run_of(
    config: dict[str, Any] | None = None,
    *,
    source: Source = IMAGE,
    project: str = "Digits",
    entry_point: tuple[str, ...] = (),
    queue: dict[str, Any] | None = None,
    **spec: Any,
) -> Run:
    of_queue = {"name": "gpu-queue", "entity": "vision", "resource": "docker", "config": config or {}, **(queue or {})}
    made = RunSpec(
        id=RunId("abcdefghijkm"),
        name="train-abcdef",
        queue=Queue.model_validate(of_queue),
        queue_revision=1,
        job=Job(source=source, entry_point=entry_point),
        priority=Priority.HIGH,
        project=project,
        author="alice",
        created_at=now(),
        **spec,
    )
    return Run(spec=made, version=1, state=State.CLAIMED, since=now(), reason=Reason.CLAIMED, attempt=2)


def config_at_target(run: Run, macros: Macros, kind: ArtifactKind = ArtifactKind.IMAGE) -> Any:
    return workload(Prepared(run, Artifact(kind, "team/train:1"), None), Wandb(), macros).config


def test_every_macro_is_filled_when_the_run_is_submitted() -> None:
    # Given
    names = ["project_name", "entity_name", "run_id", "run_name", "image_uri", "author", "queue", "attempt", "REGION"]
    run = run_of({"label": [f"{name}=${{{name}}}" for name in names]}, overrides={"hostname": "${run_id}-host"})

    # When
    config = config_at_target(run, from_environment(["REGION", "NOT_SET"], {"REGION": "eu", "SECRET": "hunter2"}))

    # Then
    assert config == {
        "hostname": "abcdefghijkm-host",
        "label": [
            "project_name=digits",
            "entity_name=vision",
            "run_id=abcdefghijkm",
            "run_name=train-abcdef",
            "image_uri=team/train:1",
            "author=alice",
            "queue=gpu-queue",
            "attempt=2",
            "REGION=eu",
        ],
    }


SERVICE = {"name": "store", "config": {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s-${run_id}"}}}


def test_macros_are_filled_in_what_a_job_brings_along() -> None:
    # Given
    run = run_of({"additional_services": [SERVICE]}, queue={"resource": "kubernetes"})
    # When
    config = config_at_target(run, Macros())
    # Then
    (service,) = config["additional_services"]
    assert service["config"]["metadata"] == {"name": "s-abcdefghijkm"}


def test_a_job_brings_services_along_only_where_the_owner_lets_it() -> None:
    # Given
    given = {"overrides": {"additional_services": [SERVICE]}}
    closed = run_of({}, queue={"resource": "kubernetes"}, **given)
    named = {"resource": "kubernetes", "overridable": ["/additional_services"]}
    # Then
    with pytest.raises(RunFailed, match="may not override '/additional_services'"):
        Admission(Macros()).admit(closed, ArtifactKind.IMAGE)
    Admission(Macros()).admit(run_of({}, queue=named, **given), ArtifactKind.IMAGE)


def test_a_value_that_looks_like_a_macro_is_not_filled_again() -> None:
    # Given a template value and an environment variable that name what the agent knows
    variables = {"name": {"type": "string"}}
    run = run_of(
        {"label": ["a=${A}", "b={{name}}", "c=${run_{{name}}"]},
        queue={"template_variables": variables},
        template_values={"name": "${SECRET}id}"},
    )

    # When
    config = config_at_target(run, Macros({"A": "${SECRET}{{name}}", "SECRET": "hunter2"}))

    # Then
    assert config == {"label": ["a=${SECRET}{{name}}", "b=${SECRET}id}", "c=${run_${SECRET}id}"]}


def test_an_environment_variable_that_the_agents_config_does_not_name_is_refused_with_its_place() -> None:
    # Given
    run = run_of({"label": ["region=${REGION}"]})

    # When
    with pytest.raises(RunFailed, match=r"/label/0: macro '\$\{REGION\}' has no value here") as refused:
        Admission(from_environment(["ZONE"], {"REGION": "eu", "ZONE": "eu-1"})).admit(run, ArtifactKind.IMAGE)

    # Then
    assert (refused.value.failure, refused.value.reason) == (FailureClass.CONFIG, Reason.CONFIG_INVALID)


def test_a_process_has_no_image_to_name() -> None:
    with pytest.raises(RunFailed, match=r"macro '\$\{image_uri\}' has no value here"):
        Admission(Macros()).admit(run_of({"env": {"IMAGE": "${image_uri}"}}), ArtifactKind.ENVIRONMENT)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"overrides": {"volume": ["/:/host"]}}, "a job may not override '/volume'"),
        ({"queue": {"overridable": "nothing"}, "overrides": {"memory": "2g"}}, "takes no overrides"),
        ({"queue": {"template_variables": {"gpus": GPUS}}, "template_values": {"gpus": 16}}, "must be at most 8"),
        ({"queue": {"template_variables": {"gpus": GPUS}}, "template_values": {"x": 1}}, "no template variable 'x'"),
        ({"config": {"gpus": "{{gpus}}"}}, "template variable 'gpus' has no value"),
    ],
)
def test_a_run_that_breaks_its_own_queues_rules_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RunFailed, match=message):
        Admission(Macros()).admit(run_of(**given), ArtifactKind.IMAGE)


def test_what_the_queues_owner_wrote_is_carried_out_and_refused_in_secure_mode() -> None:
    # Given
    run = run_of({"privileged": True, "net": "${NET}", "volume": ["/data:/data"]})
    macros = Macros({"NET": "host"})

    # When
    Admission(macros).admit(run, ArtifactKind.IMAGE)

    # Then
    with pytest.raises(RunFailed, match=r"in secure mode, and refuses /privileged: .*; /network: ") as refused:
        Admission(macros, secure_mode=True).admit(run, ArtifactKind.IMAGE)
    assert "volume" not in str(refused.value)


def test_secure_mode_refuses_another_entry_point_than_the_images_and_leaves_that_of_code() -> None:
    # Given
    secure = Admission(Macros(), secure_mode=True)

    # When
    secure.admit(run_of(source=CODE, entry_point=("python", "train.py")), ArtifactKind.IMAGE)
    secure.admit(run_of(source=IMAGE), ArtifactKind.IMAGE)

    # Then
    with pytest.raises(RunFailed, match="an entry point in place of the image's own"):
        secure.admit(run_of(source=IMAGE, entry_point=("sh",)), ArtifactKind.IMAGE)
