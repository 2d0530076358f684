from __future__ import annotations

import json
from typing import Any

import pytest

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue, parse_queue
from broker_config.wrappers import unwrap

CONFIG = {"gpus": "all"}


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (CONFIG, ""),
        ({"docker": CONFIG}, "/docker"),
        ({"local-container": CONFIG}, "/local-container"),
        ({"resource_args": {"docker": CONFIG}}, "/resource_args/docker"),
        ({"resource_args": {"local-container": CONFIG}}, "/resource_args/local-container"),
        ({"resource_args": CONFIG}, "/resource_args"),
        ({"resource_args": json.dumps({"docker": CONFIG})}, "/resource_args/docker"),
        ({"resource_args": {"docker": json.dumps(CONFIG)}}, "/resource_args/docker"),
        (json.dumps({"resource_args": {"docker": CONFIG}}), "/resource_args/docker"),
    ],
)
def test_every_wrapper_of_wandb_is_taken_off(given: Any, pointer: str) -> None:
    assert unwrap(given, "docker") == (CONFIG, pointer)
    assert Queue(name="q", resource="local-container", config=given).config == CONFIG


@pytest.mark.parametrize("config", [{}, {"resource_args": {}}, {"env": {"docker": 1}}, {"docker": 1}])
def test_what_is_no_wrapper_stays(config: dict[str, Any]) -> None:
    assert unwrap(config, "docker").config in (config, {})


def test_a_resource_of_somebody_elses_may_have_any_key() -> None:
    assert unwrap({"docker": {"a": 1}}, "their-cluster").config == {"docker": {"a": 1}}


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"resource_args": {"kubernetes": {}}}, "one of resource 'kubernetes', and the queue is on 'docker'"),
        ({"gcp-vertex": {"spec": {}}}, "give it to a queue on 'vertex', or take 'gcp-vertex' away"),
        ({"resource_args": {}, "template_variables": {}}, "'template_variables' beside 'resource_args' belongs to no"),
        ("{", "the config:"),
        ("[1]", "this must be an object"),
    ],
)
def test_a_wrapper_that_does_not_fit_is_told(config: Any, error: str) -> None:
    with pytest.raises(InvalidRequest, match="queue 'q'") as refused:
        parse_queue({"name": "q", "resource": "docker", "config": config})
    assert error in str(refused.value)
