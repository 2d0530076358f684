"""What a queue wants of the images that are built for its jobs."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.checks import check_queue
from broker_config.errors import InvalidRequest
from broker_config.queue_builder import queue_builder, without
from broker_config.queues import Queue

IMAGE = "nvidia/cuda:12.9.1-runtime-ubuntu24.04"


@pytest.mark.parametrize("name", ["accelerator", "cuda"])
def test_the_base_image_of_an_accelerator_is_read_in_both_spellings(name: str) -> None:
    assert queue_builder({"builder": {name: {"base_image": IMAGE}}}).accelerator_image == IMAGE


@pytest.mark.parametrize("config", [{}, {"builder": {}}, {"builder": None}, {"cpus": 1}])
def test_without_one_images_are_built_upon_the_usual_base(config: dict[str, Any]) -> None:
    assert queue_builder(config).accelerator_image is None


def test_the_target_does_not_see_it() -> None:
    assert without({"cpus": 1, "builder": {"cuda": {"base_image": IMAGE}}}) == {"cpus": 1}


@pytest.mark.parametrize("resource", ["docker", "kubernetes", "sagemaker", "vertex", "stub"])
def test_every_resource_that_runs_images_takes_it(resource: str) -> None:
    config = {"builder": {"accelerator": {"base_image": IMAGE}}}
    assert not [one for one in check_queue(Queue(name="q", resource=resource, config=config)) if "builder" in str(one)]


@pytest.mark.parametrize(
    ("resource", "given", "finding"),
    [
        ("docker", {"type": "kaniko"}, "error: /builder/type: unknown field 'type'"),
        ("docker", {"accelerator": {"base_image": "two words"}}, "error: /builder/accelerator/base_image: "),
        ("docker", "docker", "error: /builder: it must be an object"),
        ("local-process", {}, "error: /builder: no image is built for resource 'local-process'"),
    ],
)
def test_what_cannot_work_is_told_where_and_why(resource: str, given: Any, finding: str) -> None:
    found = check_queue(Queue(name="q", resource=resource, config={"builder": given}))
    assert any(f"{one.severity}: {one}".startswith(finding) for one in found), found


def test_an_override_that_cannot_work_is_an_error_of_the_run() -> None:
    with pytest.raises(InvalidRequest):
        queue_builder({"builder": {"accelerator": "cuda"}})
