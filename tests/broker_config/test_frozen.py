"""Parsing at the edge: one error that names every wrong field."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from pydantic import Field, ValidationError

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen, JsonObject, parse


class Inner(Frozen):
    depth: int


class Model(Frozen):
    name: str
    count: int = 1
    inner: Inner | None = None
    extra: JsonObject = Field(default_factory=dict)


def error_of(data: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(Model, data, "thing 'x'")
    return str(caught.value)


def test_an_unknown_field_is_named_with_the_one_that_was_meant() -> None:
    assert error_of({"name": "x", "cuont": 2}) == "thing 'x': unknown field 'cuont'; did you mean 'count'?"


def test_an_unknown_field_that_is_like_none_lists_those_there_are() -> None:
    assert error_of({"name": "x", "zzz": 2}) == "thing 'x': unknown field 'zzz'; known: count, extra, inner, name"


def test_an_unknown_field_further_inside_is_named_with_its_path() -> None:
    assert error_of({"name": "x", "inner": {"depth": 1, "dept": 2}}) == "thing 'x': unknown field 'inner.dept'"


def test_a_missing_field_is_named() -> None:
    assert error_of({}) == "thing 'x': field 'name' is missing"


def test_a_value_of_the_wrong_type_is_named_with_what_is_wanted() -> None:
    assert error_of({"name": "x", "count": "many"}).startswith("thing 'x': count: Input should be a valid integer")


def test_all_wrong_fields_are_named_at_once() -> None:
    # When
    text = error_of({"count": "many", "cuont": 1})

    # Then
    assert "field 'name' is missing" in text
    assert "count: Input should be" in text
    assert "unknown field 'cuont'" in text


def test_no_error_repeats_a_value_because_it_may_be_a_secret() -> None:
    assert "hunter2" not in error_of({"name": ["hunter2"], "count": "hunter2", "extra": {"a": {"hunter2"}}})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": {"b": [0, float("nan")]}}, "'a.b[1]' is a float that JSON cannot hold"),
        ({"a": float("inf")}, "'a' is a float that JSON cannot hold"),
        ({"when": datetime.datetime.now(datetime.UTC)}, "'when' is a datetime that JSON cannot hold"),
        ({"a": b"x"}, "'a' is a bytes that JSON cannot hold"),
        ({"a": "\udc80"}, "'a' is a str that JSON cannot hold"),
        ({"a": {1: 2}}, "the key 1 in 'a' is not text"),
    ],
)
def test_data_that_json_would_change_is_refused(value: dict[str, Any], said: str) -> None:
    assert f"extra: {said}" in error_of({"name": "x", "extra": value})


def test_data_that_json_holds_is_taken_as_it_is() -> None:
    # Given
    data = {"a": [1, 2.5, "ü", None, True, {"b": []}]}

    # Then
    assert parse(Model, {"name": "x", "extra": data}, "thing").extra == data


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Inner(depth=1).depth = 2  # type: ignore[misc]
