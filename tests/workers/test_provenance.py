"""Each value of a request is told with who decides it, whatever the target makes of it on the way."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.jobs import CodeSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import RunId, RunSpec, now
from tests.golden.requests import FILES, RENDERS, Golden
from workers.builders.protocol import ArtifactKind
from workers.planned import planned_workload
from workers.provenance import MOST_LEAVES, origins
from workers.targets import docker, kubernetes

CODE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)


def spec_of(resource: str, config: dict[str, Any], **more: Any) -> RunSpec:
    queue = {"name": "gpu", "resource": resource, "config": config, **more.pop("queue", {})}
    job = Job(source=CODE, entry_point=("python", "train.py"), env={"LR": "0.1"})
    return RunSpec(
        id=RunId("abcdefghijkm"),
        name="train-abcdef",
        queue=Queue.model_validate(queue),
        queue_revision=1,
        job=job,
        priority=Priority.MEDIUM,
        author="alice",
        created_at=now(),
        **more,
    )


def test_a_value_that_the_target_writes_in_another_form_keeps_its_origin() -> None:
    # Given flags of docker, which become other fields with other values
    spec = spec_of("docker", {"memory": "4g", "ulimit": ["nofile=10:20"]}, overrides={"shm-size": "1g"})

    # When
    found = origins(spec, planned_workload(spec, ArtifactKind.IMAGE), docker.render)

    # Then
    assert found["/container/HostConfig/Memory"] == ("queue",)
    assert found["/container/HostConfig/ShmSize"] == ("override",)
    assert {found[f"/container/HostConfig/Ulimits/0/{name}"] for name in ("Name", "Soft", "Hard")} == {("queue",)}
    assert found["/container/HostConfig/Init"] == ("default",)
    assert (found["/container/Entrypoint/0"], found["/container/Image"]) == (("job",), ("image",))


def test_templates_and_macros_are_named() -> None:
    # Given
    config = {
        "metadata": {"labels": {"team": "${author}"}},
        "spec": {
            "template": {"spec": {"containers": [{"name": "train", "env": [{"name": "N", "value": "{{gpus}}"}]}]}}
        },
    }
    variables = {"gpus": {"type": "string", "default": "1"}}
    spec = spec_of("kubernetes", config, queue={"template_variables": variables}, template_values={"gpus": "4"})

    # When
    found = origins(spec, planned_workload(spec, ArtifactKind.IMAGE), kubernetes.render)

    # Then
    container = "/object/spec/template/spec/containers/0"
    env = [pointer for pointer in found if pointer.startswith(f"{container}/env/")]
    assert found["/object/metadata/labels/team"] == ("queue", "macro author")
    assert found[env[-1]] == ("template gpus",)
    assert found[f"{container}/name"] == ("queue",)
    assert found["/object/spec/backoffLimit"] == ("default",)
    assert found["/object/metadata/name"] == ("run",)


def test_a_config_that_is_too_large_to_be_traced_has_no_origins_rather_than_wrong_ones() -> None:
    spec = spec_of("docker", {"env": [f"A{number}=1" for number in range(MOST_LEAVES + 1)]})

    assert origins(spec, planned_workload(spec, ArtifactKind.IMAGE), docker.render) == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_every_leaf_of_every_golden_request_has_an_origin(path: Any) -> None:
    # Given
    golden = Golden.read(path)
    workload = golden.workload()
    spec = spec_of(golden.target.replace("_", "-"), {})

    # When
    found = origins(spec, workload, RENDERS[golden.target])

    # Then none is without one, and none is made up
    words = {word.partition(" ")[0] for labels in found.values() for word in labels}
    assert all(found.values())
    assert words <= {"default", "queue", "template", "override", "macro", "job", "image", "run"}
