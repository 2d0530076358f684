"""The template variables of a queue as a Python class."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import pytest

from broker_config.errors import InvalidRequest
from broker_config.queues import parse_queue
from broker_config.store import Store
from producer import Client
from producer.variables import Variables, variables_of

GPUS = {"type": "integer", "minimum": 1, "maximum": 8, "default": 1, "description": "how many"}
KIND = {"type": "string", "enum": ["a100", "h100"]}


@pytest.fixture
def made() -> Callable[..., type[Variables]]:
    def make(**schemas: Any) -> type[Variables]:
        return variables_of(parse_queue({"name": "gpu", "resource": "stub", "template_variables": schemas}))

    return make


def test_the_class_has_the_names_types_and_defaults_of_the_schemas(made: Callable[..., type[Variables]]) -> None:
    # When
    variables = made(gpus=GPUS, kind=KIND, share={"type": "number", "default": 0.5})

    # Then
    parameters = inspect.signature(variables).parameters
    assert {name: (one.annotation, one.default) for name, one in parameters.items()} == {
        "gpus": (int, 1),
        "kind": (Literal["a100", "h100"], inspect.Parameter.empty),
        "share": (float, 0.5),
    }
    assert "gpus: integer, 1 to 8, default 1; how many" in str(variables.__doc__)


def test_an_object_of_it_has_attributes_and_is_a_mapping(made: Callable[..., type[Variables]]) -> None:
    # When
    values: Any = made(gpus=GPUS, kind=KIND)(kind="h100", gpus=2.0)

    # Then
    assert (values.gpus, values.kind, repr(values)) == (2, "h100", "Variables(gpus=2, kind='h100')")
    assert dict(values) == {"gpus": 2, "kind": "h100"}


@pytest.mark.parametrize("name", ["lambda", "items", "get", "a-b", "_queue"])
def test_a_name_that_python_has_other_uses_for_is_kept_in_the_mapping(
    made: Callable[..., type[Variables]], name: str
) -> None:
    # When
    values = made(**{name: GPUS, "a_b": GPUS})()

    # Then
    assert dict(values) == {name: 1, "a_b": 1}


def test_a_wrong_value_is_refused_when_the_object_is_made(made: Callable[..., type[Variables]]) -> None:
    # Given
    variables: Any = made(gpus=GPUS, kind=KIND)

    # Then
    with pytest.raises(InvalidRequest, match="'gpus' is 9 and must be at most 8"):
        variables(gpus=9, kind="a100")
    with pytest.raises(TypeError, match="kind"):
        variables()
    with pytest.raises(TypeError, match="knd"):
        variables(kind="a100", knd=1)


def test_a_launch_takes_the_object_and_its_run_has_every_value(client: Client, store: Store) -> None:
    # Given
    store.queues.create(
        parse_queue(
            {
                "name": "gpu",
                "resource": "stub",
                "config": {"seconds": "{{gpus}}", "lines": ["on {{kind}}"]},
                "template_variables": {"gpus": GPUS, "kind": KIND},
            }
        )
    )
    queue = client.queue("gpu")
    assert repr(queue) == '<QueueHandle gpu on stub; gpus: integer, 1 to 8, default 1; kind: "a100" | "h100">'

    # When
    run = client.launch(queue="gpu", source="python:3.11", template_variables=queue.variables(kind="a100"))

    # Then
    assert run.run.spec.template_values == {"gpus": 1, "kind": "a100"}
    assert run.run.spec.resource_config == {"seconds": 1, "lines": ["on a100"]}
