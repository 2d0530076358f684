"""JSON Merge Patch, by the examples of RFC 7396; lists of named things; and who wrote each value."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.overrides import Layer, merge, merge_with_origins
from broker_config.pointers import leaves, to_pointer

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


NAMED = {"containers": "name", "ports": "containerPort"}


def test_items_of_a_list_of_named_things_are_merged_by_name_and_new_ones_come_at_the_end() -> None:
    # Given
    config = {"spec": {"containers": [{"name": "main", "image": "a", "env": 1}, {"name": "log"}]}}

    # When
    merged = merge(
        config,
        {"spec": {"containers": [{"name": "new"}, {"name": "main", "image": "b", "env": None}]}},
        NAMED,
    )

    # Then
    assert merged == {"spec": {"containers": [{"name": "main", "image": "b"}, {"name": "log"}, {"name": "new"}]}}


def test_a_named_item_is_removed_by_its_directive() -> None:
    # Given
    config = {"containers": [{"name": "main"}, {"name": "log"}]}

    # Then
    assert merge(config, {"containers": [{"name": "log", "$patch": "delete"}]}, NAMED) == {
        "containers": [{"name": "main"}]
    }


@pytest.mark.parametrize(
    ("items", "above"),
    [
        ([{"name": "main"}], [{"image": "b"}]),
        ([{"image": "a"}], [{"name": "main"}]),
        ([{"name": "main"}, {"name": "main"}], [{"name": "main", "image": "b"}]),
        (["main"], [{"name": "main"}]),
        ({"name": "main"}, [{"image": "b"}]),
    ],
)
def test_a_list_in_which_some_item_has_no_name_of_its_own_is_replaced(items: Any, above: Any) -> None:
    assert merge({"containers": items}, {"containers": above}, NAMED) == {"containers": above}


def test_a_value_below_a_key_that_a_launch_chose_tells_so() -> None:
    # Given
    written = {"limits": {"cpu": 1, "{{kind}}": "{{gpus}}", "{{kind}}.x": 2}}
    filled = {"limits": {"cpu": 1, "amd.com/gpu": 4, "amd.com/gpu.x": 2}}

    # When
    merged = merge_with_origins(written, filled, {"limits": {"cpu": 2}}, {})

    # Then
    assert merged.config == {"limits": {"cpu": 2, "amd.com/gpu": 4, "amd.com/gpu.x": 2}}
    assert {pointer: str(origin) for pointer, origin in merged.origins.items()} == {
        "/limits/cpu": "override",
        "/limits/amd.com~1gpu": "template kind, gpus",
        "/limits/amd.com~1gpu.x": "template kind",
    }


def test_each_value_tells_who_wrote_it() -> None:
    # Given
    written = {"gpus": "{{gpus}}", "image": "{{kind}}-{{gpus}}", "memory": "2g", "env": ["A=1"], "x": {}}
    filled = {**written, "gpus": 4, "image": "h100-4"}

    # When
    merged = merge_with_origins(written, filled, {"memory": "4g", "y": {"z": [None]}, "env": None}, {})

    # Then
    assert merged.config == {"gpus": 4, "image": "h100-4", "memory": "4g", "x": {}, "y": {"z": [None]}}
    assert {pointer: str(origin) for pointer, origin in merged.origins.items()} == {
        "/gpus": "template gpus",
        "/image": "template kind, gpus",
        "/memory": "override",
        "/x": "queue",
        "/y/z/0": "override",
    }


ITEMS = st.lists(st.dictionaries(st.sampled_from(["name", "a"]), VALUES, max_size=2), max_size=3)
CONFIGS = st.dictionaries(st.sampled_from(["containers", "a", "b"]), VALUES | ITEMS, max_size=3)


@given(CONFIGS, CONFIGS)
def test_every_leaf_of_a_merged_config_has_one_origin_and_nothing_else_has(
    config: dict[str, Any], overrides: dict[str, Any]
) -> None:
    # When
    merged = merge_with_origins(config, config, overrides, NAMED)

    # Then
    assert merged.config == merge(config, overrides, NAMED)
    assert list(merged.origins) == [to_pointer(path) for path, _ in leaves(merged.config) if path]


@given(CONFIGS, CONFIGS)
def test_a_merge_loses_no_field_and_invents_none(config: dict[str, Any], overrides: dict[str, Any]) -> None:
    # When
    merged = merge_with_origins(config, config, overrides, NAMED)

    # Then what is said to come from the queue stands in it, and what comes from an override in that
    of_queue, of_override = list(map(repr, _values(config))), list(map(repr, _values(overrides)))
    for path, leaf in leaves(merged.config):
        origin = merged.origins.get(to_pointer(path))
        if origin is not None and leaf != {}:
            assert repr(leaf) in (of_queue if origin.layer is Layer.QUEUE else of_override)
    # And a key that no override names is as it was
    for key in config.keys() - overrides.keys():
        assert merged.config[key] == config[key]


def _values(config: Any) -> list[Any]:
    return [leaf for _, leaf in leaves(config)]
