"""JSON Merge Patch, by the examples of RFC 7396."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.overrides import merge

# RFC 7396, appendix A: original, patch, result. Its cases in which the original or the patch is no object are below:
# a queue config and overrides are always objects.
APPENDIX: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

# The five cases of the appendix with an array, a string or null at the top, one level down.
BELOW: list[tuple[Any, Any, Any]] = [
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, "bar", "bar"),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=2), VALUES, max_size=4)


@pytest.mark.parametrize(("config", "overrides", "merged"), APPENDIX)
def test_an_example_of_the_rfc(config: dict[str, Any], overrides: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge(config, overrides) == merged


@pytest.mark.parametrize(("config", "overrides", "merged"), BELOW)
def test_an_example_of_the_rfc_one_level_down(config: Any, overrides: Any, merged: Any) -> None:
    assert merge({"key": config}, {"key": overrides}) == {"key": merged}


def test_null_one_level_down_removes_the_key() -> None:
    assert merge({"key": {"a": "foo"}}, {"key": None}) == {}


@given(OBJECTS, OBJECTS)
def test_neither_side_is_changed(config: dict[str, Any], overrides: dict[str, Any]) -> None:
    # Given
    before = copy.deepcopy((config, overrides))

    # When
    merge(config, overrides)

    # Then
    assert (config, overrides) == before


@given(OBJECTS, OBJECTS)
def test_to_lay_overrides_over_twice_is_to_lay_them_over_once(
    config: dict[str, Any], overrides: dict[str, Any]
) -> None:
    # Given
    once = merge(config, overrides)

    # Then
    assert merge(once, overrides) == once


@given(OBJECTS)
def test_no_overrides_change_nothing(config: dict[str, Any]) -> None:
    assert merge(config, {}) == config
