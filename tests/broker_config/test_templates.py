"""Template variables: their schemas, the shapes in which they come, and the values that a launch may give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue, parse_queue
from broker_config.templates import TemplateVariable, check, check_values, read_values, samples

GPUS = {"type": "integer", "minimum": 1, "maximum": 8, "default": 2}
KIND = {"type": "string", "enum": ["a100", "h100"]}


def queue_with(variables: Any, **config: Any) -> Queue:
    return parse_queue({"name": "gpu", "resource": "docker", "config": config, "template_variables": variables})


def variables(**schemas: Any) -> dict[str, TemplateVariable]:
    return queue_with(schemas).template_variables


@pytest.mark.parametrize(
    "written",
    [
        {"gpus": GPUS},
        {"gpus": {"schema": GPUS}},
        {"gpus": {"schema": GPUS, "name": "gpus", "description": None}},
        [{"name": "gpus", "schema": json.dumps(GPUS)}],
        [{"name": "gpus", "schema": GPUS}],
        [{"name": "gpus", **GPUS}],
    ],
)
def test_each_shape_of_template_variables_means_the_same(written: Any) -> None:
    assert queue_with(written).template_variables == {"gpus": TemplateVariable.model_validate(GPUS)}


def test_a_queue_is_read_back_with_the_variables_that_it_was_written_with() -> None:
    # Given
    queue = queue_with({"gpus": GPUS, "kind": KIND}, gpus="{{gpus}}")

    # When
    read = Queue.model_validate_json(queue.model_dump_json())

    # Then
    assert read == queue


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "integer", "maximum": 8, "default": 9}, "gpus: default 9 must be at most 8"),
        ({"type": "integer", "default": "4"}, 'default "4" must be an integer, not a text'),
        ({"type": "string", "enum": ["a", 1]}, "enum 1 must be a text"),
        ({"type": "string", "minimum": 1}, "minimum and maximum are of numbers, and this is a text"),
        ({"type": "integer", "pattern": "^1"}, "pattern is of texts, and this is an integer"),
        ({"type": "string", "pattern": "("}, r"pattern '\(' is no regular expression"),
        ({"type": "integer", "minimum": 4, "maximum": 8, "default": 3}, "default 3 must be at least 4"),
        ({"type": "integer", "minimum": 4, "maximum": 2}, "minimum 4 is above maximum 2"),
        ({"type": "integer", "minmum": 1}, "unknown field 'template_variables.gpus.minmum'"),
        ({"type": "float"}, "'string', 'integer', 'number' or 'boolean'"),
        ({"schema": "{"}, "the schema of 'gpus' is not JSON"),
        ({"type": "string", "enum": []}, "enum is empty"),
        ({"type": "string", "enum": [["a"]]}, r"gpus\.enum\.0: must be a text, a number or a boolean$"),
        ({"type": "integer", "minimum": "1"}, r"gpus\.minimum: must be a number, not a text$"),
        ({"type": "number", "maximum": float("inf")}, r"gpus\.maximum: must be a number$"),
    ],
)
def test_a_schema_that_cannot_be_is_refused_with_the_reason(schema: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        queue_with({"gpus": schema})


@pytest.mark.parametrize("name", ["", "2gpus", "g p", "a.b", "x" * 65])
def test_a_name_that_no_text_could_hold_as_a_variable_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be a template variable"):
        queue_with({name: GPUS})


def test_a_list_that_names_a_variable_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'gpus' is there twice"):
        queue_with([{"name": "gpus", "schema": GPUS}, {"name": "gpus", "schema": GPUS}])


def test_a_variable_that_is_not_declared_is_found_where_it_stands_with_the_one_that_was_meant() -> None:
    # Given
    config = {"spec": {"gpus": ["{{gpu}}", "{{gpus}}"]}}

    # When
    (finding,) = check(config, variables(gpus=GPUS))

    # Then
    assert str(finding) == "/spec/gpus/0: template variable 'gpu' is not declared; did you mean 'gpus'?"
    assert finding.severity == "error"


def test_a_variable_in_a_key_has_to_say_which_keys_there_can_be() -> None:
    # Given
    kind = {"type": "string", "enum": ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"]}
    config = {"limits": {"{{kind}}": "{{gpus}}"}}

    # Then
    assert check(config, variables(kind=kind, gpus=GPUS)) == []
    for other in ({"type": "string"}, {"type": "integer", "enum": [1, 2]}):
        (finding,) = check(config, variables(kind=other, gpus=GPUS))
        assert (finding.severity, finding.pointer) == ("error", "/limits/{{kind}}")
        assert "has to be a string with an enum" in finding.text


def test_a_config_is_looked_at_with_each_key_that_it_can_have() -> None:
    # Given
    kind = {"type": "string", "enum": ["a", "b", "c"], "default": "b"}
    size = {"type": "string", "enum": ["small", "large"]}

    # Then
    found = samples({"{{kind}}": "{{size}}"}, variables(kind=kind, size=size))
    assert [(one["kind"], one["size"]) for one in found] == [("b", "small"), ("a", "small"), ("c", "small")]


def test_a_variable_that_nothing_uses_is_a_warning() -> None:
    (finding,) = check({}, variables(gpus=GPUS))

    assert (finding.severity, finding.pointer) == ("warning", "")


@pytest.mark.parametrize("text", [r"\{{gpu}}", "{{.Name}}", "{{ inputs.x }}", "{gpu}", "{{ }}"])
def test_what_is_no_template_variable_needs_no_declaration(text: str) -> None:
    assert check({"log-opt": text}, {}) == []


@pytest.mark.parametrize(
    ("schema", "value", "typed"),
    [
        ({"type": "integer"}, 4, 4),
        ({"type": "integer"}, 4.0, 4),
        ({"type": "number"}, 4, 4),
        ({"type": "number"}, 0.5, 0.5),
        ({"type": "boolean"}, True, True),
        ({"type": "string"}, "4", "4"),
        ({"type": "string", "pattern": "^a"}, "abc", "abc"),
        ({"type": "integer", "enum": [1, 2]}, 2, 2),
    ],
)
def test_a_value_that_obeys_its_schema_is_taken_with_its_type(schema: Any, value: Any, typed: Any) -> None:
    # When
    (taken,) = check_values(variables(x=schema), {"x": value}, "queue 'gpu'").values()

    # Then
    assert (taken, type(taken)) == (typed, type(typed))


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "integer"}, "4", "must be an integer, not a text"),
        ({"type": "integer"}, True, "must be an integer"),
        ({"type": "integer"}, 4.5, "must be an integer"),
        ({"type": "integer"}, None, "must be an integer"),
        ({"type": "number"}, float("nan"), "must be a number"),
        ({"type": "boolean"}, 1, "must be a boolean"),
        ({"type": "string"}, 4, "must be a text"),
        ({"type": "string"}, ["a"], "must be a text"),
        ({"type": "string"}, "x" * 5000, "must have at most 4,096 characters"),
        ({"type": "string"}, "\udc80", "must be text that can be written as UTF-8"),
        ({"type": "string", "pattern": "^a$"}, "ab", r"must match '\^a\$'"),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'must be one of "a", "b"'),
        ({"type": "number", "minimum": 0.5}, 0.25, "must be at least 0.5"),
        ({"type": "integer", "maximum": 8}, 9, "must be at most 8"),
        ({"type": "integer"}, 2**63, "must fit into 64 bits"),
        ({"type": "number"}, 10**400, "must fit into 64 bits"),
    ],
)
def test_a_value_that_breaks_its_schema_is_refused_by_name(schema: Any, value: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"queue 'gpu': template variable 'x' is .* and {problem}"):
        check_values(variables(x=schema), {"x": value}, "queue 'gpu'")


def test_a_default_fills_in_and_what_has_none_is_asked_for_with_both_ways_to_give_it() -> None:
    # Given
    declared = variables(gpus=GPUS, kind=KIND)

    # When
    values = check_values(declared, {"kind": "h100"}, "queue 'gpu'")

    # Then
    assert values == {"gpus": 2, "kind": "h100"}
    with pytest.raises(InvalidRequest, match=r"'kind'; give it with --set-var kind=\.\.\., or template_variables="):
        check_values(declared, {}, "queue 'gpu'")


def test_an_unknown_value_and_a_wrong_one_are_both_told() -> None:
    with pytest.raises(InvalidRequest, match=r"'gpu'; did you mean 'gpus'\?; template variable 'kind' is 'x'"):
        check_values(variables(gpus=GPUS, kind=KIND), {"gpu": 1, "kind": "x"}, "queue 'gpu'")


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("integer", "4", 4),
        ("integer", "-4", -4),
        ("number", "4", 4),
        ("number", "1e-3", 0.001),
        ("boolean", "yes", True),
        ("boolean", "FALSE", False),
        ("string", "4", "4"),
        ("string", "", ""),
    ],
)
def test_a_text_of_the_command_line_is_read_as_its_variable_wants(type_: str, text: str, value: Any) -> None:
    # When
    (read,) = read_values(variables(x={"type": type_}), {"x": text}, "queue 'gpu'").values()

    # Then
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "text"), [("integer", "4.5"), ("integer", "four"), ("number", "inf"), ("boolean", "2")]
)
def test_a_text_that_means_no_value_of_the_type_is_refused(type_: str, text: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"template variable 'x' is '{text}' and must be"):
        read_values(variables(x={"type": type_}), {"x": text}, "queue 'gpu'")


INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(INTEGERS | FLOATS | st.booleans() | st.text(max_size=20))
def test_the_sample_of_a_schema_obeys_it(value: Any) -> None:
    # Given a schema with a default, with an enum, and with one bound, where its type has such a thing
    type_ = {int: "integer", float: "number", bool: "boolean", str: "string"}[type(value)]
    schemas = [{"default": value}, {"enum": [value]}]
    schemas += [{"minimum": value}, {"maximum": value}] if type_ in {"integer", "number"} else []

    # Then
    for schema in schemas:
        variable = TemplateVariable.model_validate({"type": type_, **schema})
        assert variable.accept(variable.sample) == value
