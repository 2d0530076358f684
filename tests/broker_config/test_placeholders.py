"""Placeholders are filled once, in values only, and nothing else of a config changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from broker_config.placeholders import fill, macros_in, variables_in
from broker_config.pointers import leaves

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,3}", fullmatch=True)
TEXTS = st.text(alphabet="ab${}\\ x_", max_size=8)
VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """A text with placeholders, what it stands for, and the values of its variables and macros."""
    text, meant = "", ""
    variables: dict[str, Any] = {}
    macros: dict[str, str] = {}
    for place in range(draw(st.integers(2, 5))):
        # Letters between, so that no two pieces make a placeholder together.
        match draw(st.sampled_from(["variable", "macro", "escaped"])):
            case "variable":
                variables[f"v{place}"] = value = draw(VALUES)
                text, meant = (
                    f"{text}-{{{{v{place}}}}}",
                    f"{meant}-{value if isinstance(value, str) else json.dumps(value)}",
                )
            case "macro":
                macros[f"m{place}"] = value = draw(TEXTS)
                text, meant = f"{text}-${{m{place}}}", f"{meant}-{value}"
            case _:
                text, meant = f"{text}-\\{{{{x}}}}$${{y}}", f"{meant}-{{{{x}}}}${{y}}"
    return text, meant, variables, macros


@given(written())
def test_a_text_says_afterwards_what_its_pieces_say(case: tuple[str, str, dict[str, Any], dict[str, str]]) -> None:
    # Given values that may look like placeholders themselves
    text, meant, variables, macros = case

    # Then each piece is filled once
    assert fill({"key": [text]}, variables=variables, macros=macros) == {"key": [meant]}


@given(written())
def test_to_leave_one_kind_out_leaves_it_as_it_was_written(
    case: tuple[str, str, dict[str, Any], dict[str, str]],
) -> None:
    # Given
    text, _, variables, macros = case

    # When
    (left,) = fill({"key": text}).values()
    (of_macros,) = fill({"key": text}, macros=macros).values()

    # Then
    assert left == text
    assert list(variables_in(of_macros))[: len(variables)] == list(variables) or not variables


@given(VALUES)
def test_a_text_that_is_a_variable_and_nothing_else_becomes_the_value(value: Any) -> None:
    # When
    (filled,) = fill({"key": "{{ x }}"}, variables={"x": value}).values()

    # Then
    assert (filled, type(filled)) == (value, type(value))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["{{x}}", "a{{x}}", "${y}", "plain"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=15,
)


@given(st.dictionaries(st.text(max_size=2), JSON, max_size=4))
def test_filling_loses_no_field_and_invents_none(config: dict[str, Any]) -> None:
    # When
    filled = fill(config, variables={"x": 1}, macros={"y": "z"})

    # Then every leaf is where it was, and only those with a placeholder changed
    before, after = dict(leaves(config)), dict(leaves(filled))
    assert before.keys() == after.keys()
    expected = {"{{x}}": 1, "a{{x}}": "a1", "${y}": "z"}
    assert all(
        after[path] == (expected.get(leaf, leaf) if isinstance(leaf, str) else leaf) for path, leaf in before.items()
    )


def test_a_key_is_filled_as_a_text_and_keeps_its_place() -> None:
    # Given
    config = {"a": 1, "{{vendor}}.com/gpu": "{{gpus}}", r"\{{x}}": {"{{vendor}}": []}, "z": "{{.Name}}"}

    # When
    filled = fill(config, variables={"vendor": "amd", "gpus": 4})

    # Then
    assert list(filled.items()) == [("a", 1), ("amd.com/gpu", 4), ("{{x}}", {"amd": []}), ("z", "{{.Name}}")]


def test_a_key_that_is_there_already_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"/limits/\{\{kind\}\}: 'cpu' is there already"):
        fill({"limits": {"cpu": 1, "{{kind}}": 2}}, variables={"kind": "cpu"})


def test_the_platforms_own_templates_are_left_alone() -> None:
    # Given
    config = {"log-opt": "tag={{.Name}}", "args": ["${HOME:-/root}", "$HOME", "$(date)", "{{ inputs.x }}"]}

    # Then
    assert fill(config, variables={}, macros={}) == config


def test_a_missing_value_is_told_with_its_place() -> None:
    with pytest.raises(InvalidRequest, match="/a/0: template variable 'gpu' has no value; did you mean 'gpus'"):
        fill({"a": ["{{gpu}}"]}, variables={"gpus": 1})
    with pytest.raises(
        InvalidRequest, match=r"/a: macro '\$\{HOME\}' has no value here, and '\$\$\{HOME\}' writes plain"
    ):
        fill({"a": "x${HOME}"}, macros={"run_id": "r"})


def test_the_names_in_a_text_are_those_that_would_be_filled() -> None:
    # Given
    text = r"{{a}} \{{b}} {{ c-d }} ${e} $${f} ${G} ${h:-i}"

    # Then
    assert (list(variables_in(text)), list(macros_in(text))) == (["a", "c-d"], ["e", "G"])
