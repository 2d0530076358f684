"""Schemas for the run config of named jobs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.inputs import Input, check_run_config

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["epochs"],
    "additionalProperties": False,
    "properties": {
        "epochs": {"type": "integer", "minimum": 1, "exclusiveMaximum": 100, "title": "Epochs"},
        "lr": {"type": "number", "default": 0.1, "exclusiveMinimum": 0},
        "optimizer": {"type": "string", "enum": ["adam", "sgd"], "default": "adam"},
        "amp": {"type": "boolean"},
        "layers": {
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 1,
            "maxItems": 3,
            "uniqueItems": True,
        },
        "model": {"type": "object", "properties": {"depth": {"type": "integer", "default": 2}}},
    },
}


def checked(**run_config: Any) -> dict[str, Any]:
    return check_run_config(parse(Input, SCHEMA, "schema"), run_config, "job 'team/train:v0'")


def test_what_is_absent_has_its_default_however_deep() -> None:
    assert checked(epochs=3) == {"epochs": 3, "lr": 0.1, "optimizer": "adam", "model": {"depth": 2}}
    assert checked(epochs=3, model={"depth": 5}, layers=[8, 4])["model"] == {"depth": 5}


@pytest.mark.parametrize(
    ("run_config", "message"),
    [
        ({}, "epochs is missing"),
        ({"epochs": "3"}, "epochs is '3' and must be of type integer"),
        ({"epochs": True}, "epochs is True and must be of type integer"),
        ({"epochs": 0}, "epochs is 0 and must be at least 1"),
        ({"epochs": 100}, "epochs is 100 and must be less than 100"),
        ({"epochs": 3, "lr": 0}, "lr is 0 and must be more than 0"),
        ({"epochs": 3, "amp": 1}, "amp is 1 and must be of type boolean"),
        ({"epochs": 3, "optimizer": "lion"}, "optimizer is 'lion' and must be one of 'adam', 'sgd'"),
        ({"epochs": 3, "layers": []}, "layers has 0 items and must have at least 1"),
        ({"epochs": 3, "layers": [1, 2, 3, 4]}, "layers has 4 items and must have at most 3"),
        ({"epochs": 3, "layers": [1, 1]}, "layers has an item twice"),
        ({"epochs": 3, "layers": [1, "x"]}, "layers[1] is 'x' and must be of type integer"),
        ({"epochs": 3, "model": {"depth": 0.5}}, "model.depth is 0.5 and must be of type integer"),
        ({"epohcs": 3}, "epohcs is no input; did you mean 'epochs'"),
    ],
)
def test_what_does_not_obey_is_named_with_what_it_must_be(run_config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(**run_config)
    assert str(refused.value).startswith("job 'team/train:v0': run config: ")
    assert message in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidRequest, match=r"lr is -1 .*; epochs is missing|epochs is missing; lr is -1"):
        checked(lr=-1)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "tuple"}, "type"),
        ({"maximun": 3}, "unknown field 'maximun'"),
        ({"oneOf": []}, "unknown field 'oneOf'"),
        ({"type": "integer", "default": "x"}, "its default is 'x' and must be of type integer"),
        ({"properties": {"a": {"minimum": 1, "default": 0}}}, "its default is 0 and must be at least 1"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse(Input, schema, "schema")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_no_value_is_lost_or_changed_by_what_is_filled_in(run_config: dict[str, Any]) -> None:
    schema = parse(Input, {**SCHEMA, "required": [], "additionalProperties": True}, "schema")
    filled = schema.completed(run_config)
    assert {name: filled[name] for name in run_config if name != "model"} == {
        name: value for name, value in run_config.items() if name != "model"
    }
    assert set(filled) == {*run_config, "lr", "optimizer", "model"}
