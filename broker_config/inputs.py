"""What a named job takes as its run config: a schema, in that part of JSON Schema that W&B Launch has for job inputs.

A keyword outside of that part is refused, so that nobody relies on a check which is not made.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from broker_config.errors import InvalidRequest, did_you_mean
from broker_config.frozen import Frozen, JsonObject

_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list, tuple),
    "object": (dict,),
}


class Input(Frozen):
    """The schema of one value. Keywords mean what they mean in JSON Schema."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    type: Literal["boolean", "integer", "number", "string", "array", "object"] | None = None
    enum: tuple[Any, ...] | None = None
    default: Any = None  # taken when the value is absent; null is none
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    items: Input | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False
    properties: dict[str, Input] = Field(default_factory=dict)
    required: tuple[str, ...] = ()
    additional_properties: bool = True
    # For people only.
    title: str = ""
    description: str = ""
    label: str = ""
    placeholder: str = ""
    format: str = ""

    @model_validator(mode="after")
    def _default_obeys(self) -> Input:
        problem = next(self.problems(self.default, "its default"), "") if self.default is not None else ""
        if problem:
            raise ValueError(problem)
        return self

    def completed(self, value: Any) -> Any:
        """The value with the defaults of what is absent in it."""
        if not isinstance(value, dict):
            return value
        completed = dict(value)
        for name, schema in self.properties.items():
            if name in value:
                completed[name] = schema.completed(value[name])
            elif schema.default is not None:
                completed[name] = schema.default
            elif below := schema.completed({}):
                completed[name] = below
        return completed

    def problems(self, value: Any, path: str) -> Iterator[str]:
        """What of a value does not obey, each in a clause."""
        if self.type and not _is_a(self.type, value):
            yield f"{path} is {value!r:.80} and must be of type {self.type}"
            return
        if self.enum is not None and value not in self.enum:
            yield f"{path} is {value!r:.80} and must be one of {', '.join(map(repr, self.enum))}"
        if isinstance(value, int | float):
            yield from self._out_of_range(value, path)
        if isinstance(value, list | tuple):
            yield from self._of_items(value, path)
        if isinstance(value, dict):
            yield from self._of_properties(value, path)

    def _out_of_range(self, value: float, path: str) -> Iterator[str]:
        for limit, obeys, words in (
            (self.minimum, operator.ge, "at least"),
            (self.maximum, operator.le, "at most"),
            (self.exclusive_minimum, operator.gt, "more than"),
            (self.exclusive_maximum, operator.lt, "less than"),
        ):
            if limit is not None and not obeys(value, limit):
                yield f"{path} is {value} and must be {words} {limit:g}"

    def _of_items(self, value: list[Any] | tuple[Any, ...], path: str) -> Iterator[str]:
        if self.min_items is not None and len(value) < self.min_items:
            yield f"{path} has {len(value)} items and must have at least {self.min_items}"
        if self.max_items is not None and len(value) > self.max_items:
            yield f"{path} has {len(value)} items and must have at most {self.max_items}"
        if self.unique_items and any(item in value[:place] for place, item in enumerate(value)):
            yield f"{path} has an item twice"
        if self.items is not None:
            for place, item in enumerate(value):
                yield from self.items.problems(item, f"{path}[{place}]")

    def _of_properties(self, value: dict[str, Any], path: str) -> Iterator[str]:
        for name in self.required:
            if name not in value:
                yield f"{_below(path, name)} is missing"
        for name, item in value.items():
            if name in self.properties:
                yield from self.properties[name].problems(item, _below(path, name))
            elif not self.additional_properties:
                yield f"{_below(path, name)} is no input{did_you_mean(name, self.properties)}"


def check_run_config(schema: Input, run_config: Mapping[str, Any], what: str) -> JsonObject:
    """The run config with its defaults.

    Raises:
        InvalidRequest: when it does not obey; all that is wrong is named.
    """
    completed: dict[str, Any] = schema.completed(dict(run_config))
    if problems := list(schema.problems(completed, "")):
        raise InvalidRequest(f"{what}: run config: " + "; ".join(problems))
    return completed


def _is_a(type_: str, value: Any) -> bool:
    # Python's bool is an int, and JSON's is not.
    return isinstance(value, _TYPES[type_]) and (type_ == "boolean" or not isinstance(value, bool))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
