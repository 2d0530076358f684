"""The config of one run: template, macros and overrides together lose no field and invent none."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker_config.jobs import ImageSource, Job
from broker_config.overrides import Layer, merge
from broker_config.pointers import leaves, to_pointer
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import RunId, RunSpec, now

VARIABLES = {"size": {"type": "integer"}, "kind": {"type": "string"}}
MACROS = {"run_id": "abc", "REGION": "{{size}}"}
KEYS = st.sampled_from(["a", "b", "labels"])
LEAVES = st.sampled_from([None, 1, True, "text", "{{size}}", "x-{{kind}}-{{size}}", "${run_id}", "${REGION}", "$${x}"])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
CONFIGS = st.dictionaries(KEYS, JSON, max_size=3)


def spec_of(config: dict[str, Any], overrides: dict[str, Any], kind: str = "${run_id}", **queue: Any) -> RunSpec:
    fields = {"name": "q", "resource": "stub", "config": config, "template_variables": VARIABLES, **queue}
    return RunSpec(
        id=RunId("abcdefghijkm"),
        name="test",
        queue=Queue.model_validate(fields),
        queue_revision=1,
        job=Job(source=ImageSource(image="busybox:1")),
        overrides=overrides,
        template_values={"size": 4, "kind": kind},
        priority=Priority.MEDIUM,
        author="tester",
        created_at=now(),
    )


def written_as(config: Any) -> list[str]:
    """The places of a config with what was written there."""
    return [to_pointer(path) for path, _ in leaves(config)]


@given(CONFIGS, CONFIGS)
def test_a_run_has_the_fields_of_its_queue_and_its_overrides_and_no_others(
    config: dict[str, Any], overrides: dict[str, Any]
) -> None:
    # Given
    spec = spec_of(config, overrides)

    # Then filling changes no place, and only a merge patch adds and removes
    assert written_as(spec.resource_config) == written_as(merge(config, overrides))
    assert written_as(spec.config_with(MACROS)) == written_as(merge(config, overrides))


@given(CONFIGS, CONFIGS)
def test_the_origins_of_a_run_are_those_of_its_config(config: dict[str, Any], overrides: dict[str, Any]) -> None:
    # Given
    spec = spec_of(config, overrides)

    # When
    merged = spec.merged

    # Then
    assert merged.config == spec.resource_config
    assert list(merged.origins) == [pointer for pointer in written_as(merged.config) if pointer]
    laid = merge(config, overrides)
    for path, leaf in leaves(laid):
        origin = merged.origins.get(to_pointer(path))
        if origin is not None and origin.layer is Layer.TEMPLATE:
            assert "{{" in str(leaf)


def test_a_value_that_looks_like_a_macro_stays_what_it_is() -> None:
    # Given values and a variable of the environment that name other placeholders
    spec = spec_of(
        {"a": "{{kind}}", "b": "${REGION}", "labels": "${run_{{kind}}"}, {"c": "{{size}}${run_id}"}, "${run_id}"
    )

    # Then each is filled once, and variables are the queue's alone
    assert spec.config_with(MACROS) == {
        "a": "${run_id}",
        "b": "{{size}}",
        "labels": "${run_${run_id}",
        "c": "{{size}}abc",
    }


def test_an_override_meets_what_it_means_however_a_flag_is_spelled() -> None:
    # Given
    config = {"m": "2g", "cap_add": ["A"], "e": ["A=1"], "env": "B=2"}
    spec = spec_of(config, {"memory": "4g", "cap-add": None}, resource="docker")

    # Then
    assert spec.resource_config == {"memory": "4g", "env": ["A=1", "B=2"]}
    assert {pointer: str(origin) for pointer, origin in spec.merged.origins.items()} == {
        "/memory": "override",
        "/env/0": "queue",
        "/env/1": "queue",
    }
