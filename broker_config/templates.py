"""Template variables: what a launch may choose in a queue config, each with the schema that its values obey.

The schema is a subset of JSON Schema (draft 2020-12): the keywords that W&B Launch's config templates have, and
`boolean` and `pattern` beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import ceil, floor, isfinite
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator
from pydantic import model_validator as check_model

from broker_config.errors import InvalidRequest, did_you_mean
from broker_config.findings import Finding, error, warning
from broker_config.frozen import Frozen, is_unicode
from broker_config.placeholders import Value, variables_in
from broker_config.pointers import keys, leaves, to_pointer

MAX_TEXT = 4096
"""Longest text that a variable may hold."""

MAX_INTEGER = 2**63
"""No platform takes larger integers than those of 64 bits."""

Type = Literal["string", "integer", "number", "boolean"]
_ARTICLES: Mapping[str, str] = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
}
_BOOLEANS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
_INTEGER = re.compile(r"[+-]?\d{1,20}")


def _check_scalar(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be a text, a number or a boolean")
    return value


def _check_number(value: object) -> object:
    return _typed(value, "number")


_AnyValue = Annotated[Value, PlainValidator(_check_scalar)]
_AnyNumber = Annotated[int | float, PlainValidator(_check_number)]


class TemplateVariable(Frozen):
    """The schema of one variable. An absent keyword allows everything."""

    type: Type
    enum: tuple[_AnyValue, ...] | None = None
    minimum: _AnyNumber | None = None
    maximum: _AnyNumber | None = None
    pattern: str | None = None  # of a text: a regular expression of Python's that must be found in it
    default: _AnyValue | None = None  # absent: every launch has to say
    title: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=1000)

    @check_model(mode="after")
    def _agrees_with_itself(self) -> TemplateVariable:
        is_number = self.type in {"integer", "number"}
        if not is_number and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"minimum and maximum are of numbers, and this is {_ARTICLES[self.type]}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        if self.enum == ():
            raise ValueError("enum is empty, so no value could be chosen")
        if self.pattern is not None:
            _check_pattern(self.pattern, self.type)
        values = [("enum", value) for value in self.enum or ()]
        values += [("default", self.default)] if self.default is not None else []
        for keyword, value in values:
            try:
                self.accept(value)
            except ValueError as problem:
                raise ValueError(f"{keyword} {json.dumps(value)} {problem}") from None
        return self

    def accept(self, value: object) -> Value:
        """The value, if it obeys the schema; as in JSON Schema, 4.0 is the integer 4.

        Raises:
            ValueError: with a clause that goes on from the value, such as "must be at most 8".
        """
        typed: Any = _typed(value, self.type)
        if self.enum is not None and typed not in self.enum:
            raise ValueError(f"must be one of {', '.join(json.dumps(one) for one in self.enum)}")
        if self.minimum is not None and typed < self.minimum:
            raise ValueError(f"must be at least {self.minimum}")
        if self.maximum is not None and typed > self.maximum:
            raise ValueError(f"must be at most {self.maximum}")
        if self.pattern is not None and not re.search(self.pattern, typed):
            raise ValueError(f"must match {self.pattern!r}")
        return typed  # type: ignore[no-any-return]

    def read(self, text: str) -> Value:
        """The value that a text from a command line means; yes, on and 1 are true.

        Raises:
            ValueError: as `accept` does.
        """
        value: object = text
        if self.type == "integer" and _INTEGER.fullmatch(text):
            value = int(text)
        elif self.type == "number":
            value = _number(text)
        elif self.type == "boolean":
            value = _BOOLEANS.get(text.lower(), text)
        return self.accept(value)

    @property
    def choices(self) -> tuple[Value, ...]:
        """The values to choose from, where they are few."""
        return self.enum or ((True, False) if self.type == "boolean" else ())

    @property
    def summary(self) -> str:
        """The schema for people, in one line: "integer, 1 to 8, default 2"."""
        parts: list[str] = [self.type]
        if self.enum is not None:
            parts = [" | ".join(json.dumps(one) for one in self.enum)]
        if self.minimum is not None and self.maximum is not None:
            parts.append(f"{self.minimum} to {self.maximum}")
        elif self.minimum is not None or self.maximum is not None:
            parts.append(f"from {self.minimum}" if self.minimum is not None else f"up to {self.maximum}")
        if self.pattern is not None:
            parts.append(f"matches {self.pattern!r}")
        if self.default is not None:
            parts.append(f"default {json.dumps(self.default)}")
        return ", ".join(parts)

    @property
    def is_guessed(self) -> bool:
        """Whether the sample is a mere guess at what launches will say."""
        return all(known is None for known in (self.default, self.enum, self.minimum, self.maximum))

    @property
    def sample(self) -> Value:
        """A value with which a config can be looked at before a launch has said one."""
        if self.default is not None:
            return self.default
        if self.enum is not None:
            return self.enum[0]
        if self.minimum is not None:
            return ceil(self.minimum) if self.type == "integer" else self.minimum
        if self.maximum is not None:
            return floor(self.maximum) if self.type == "integer" else self.maximum
        samples: Mapping[str, Value] = {"string": "text", "boolean": False}
        return samples.get(self.type, 1)


def _check_pattern(pattern: str, type_: Type) -> None:
    if type_ != "string":
        raise ValueError(f"pattern is of texts, and this is {_ARTICLES[type_]}")
    try:
        re.compile(pattern)
    except re.error as problem:
        raise ValueError(f"pattern {pattern!r} is no regular expression: {problem}") from None


def _typed(value: Any, type_: Type) -> Value:
    if type_ == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not _is(value, type_):
        hint = ", not a text" if isinstance(value, str) else ""
        raise ValueError(f"must be {_ARTICLES[type_]}{hint}")
    if isinstance(value, int) and abs(value) >= MAX_INTEGER:
        raise ValueError("must fit into 64 bits")
    if isinstance(value, str) and not is_unicode(value):
        raise ValueError("must be text that can be written as UTF-8")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise ValueError(f"must have at most {MAX_TEXT:,} characters")
    return value  # type: ignore[no-any-return]


def _is(value: object, type_: Type) -> bool:
    if isinstance(value, bool):
        return type_ == "boolean"
    if isinstance(value, str):
        return type_ == "string"
    if isinstance(value, int):
        return type_ in {"integer", "number"}
    return type_ == "number" and isinstance(value, float) and isfinite(value)


def _number(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def names_in(config: Mapping[str, Any]) -> set[str]:
    """The template variables that a config has in its keys and values."""
    in_values = {name for _, leaf in leaves(config) if isinstance(leaf, str) for name in variables_in(leaf)}
    return in_values | _names_in_keys(config)


def _names_in_keys(config: Mapping[str, Any]) -> set[str]:
    return {name for _, key in keys(config) for name in variables_in(key)}


def samples(config: Mapping[str, Any], variables: Mapping[str, TemplateVariable]) -> list[dict[str, Value]]:
    """Values with which a config can be looked at before a launch has said any.

    There are several where a variable is in a key: with another key the config is another one.
    """
    first = {name: variable.sample for name, variable in variables.items()}
    others = [
        {**first, name: choice}
        for name in sorted(_names_in_keys(config) & variables.keys())
        for choice in variables[name].choices
        if choice != first[name]
    ]
    return [first, *others]


def check(config: Mapping[str, Any], variables: Mapping[str, TemplateVariable]) -> list[Finding]:
    """Whether the variables in a config and those that are declared are the same."""
    texts = [*keys(config), *((path, leaf) for path, leaf in leaves(config) if isinstance(leaf, str))]
    found = [
        error(
            to_pointer(path),
            f"template variable {name!r} is not declared{did_you_mean(name, variables)}"
            + ("" if variables else "; declare it with --template-variables, or write '\\{{...}}' for plain text"),
        )
        for path, text in texts
        for name in dict.fromkeys(variables_in(text))
        if name not in variables
    ]
    found += [
        error(
            to_pointer(path),
            f"template variable {name!r} is in a key, so it has to be a string with an enum: the keys to choose from",
        )
        for path, key in keys(config)
        for name in variables_in(key)
        if name in variables and (variables[name].type != "string" or not variables[name].enum)
    ]
    unused = sorted(variables.keys() - names_in(config))
    return [*found, *(warning("", f"template variable {name!r} is declared, and nothing uses it") for name in unused)]


def check_values(variables: Mapping[str, TemplateVariable], given: Mapping[str, Any], what: str) -> dict[str, Value]:
    """The value of every variable: what a launch gave, else the default. `what` names the queue: "queue 'gpu'".

    Raises:
        InvalidRequest: when one is unknown, missing or does not obey its schema; every such one is named.
    """
    defaults = {name: one.default for name, one in variables.items() if one.default is not None}
    values = _each(variables, {**defaults, **given}, TemplateVariable.accept, what)
    if missing := [name for name in variables if name not in values]:
        listed = ", ".join(repr(name) for name in missing)
        cure = f"--set-var {missing[0]}=..., or template_variables={{{missing[0]!r}: ...}} in Python"
        raise InvalidRequest(f"{what} needs a value for template variable {listed}; give it with {cure}")
    return values


def read_values(variables: Mapping[str, TemplateVariable], texts: Mapping[str, str], what: str) -> dict[str, Value]:
    """The values that texts from a command line mean.

    Raises:
        InvalidRequest: when one is unknown, or its text means no value that obeys its schema.
    """
    return _each(variables, texts, TemplateVariable.read, what)


def _each(
    variables: Mapping[str, TemplateVariable],
    given: Mapping[str, Any],
    understand: Callable[[TemplateVariable, Any], Value],
    what: str,
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    problems: list[str] = []
    for name, value in given.items():
        if name not in variables:
            problems.append(f"it has no template variable {name!r}{did_you_mean(name, variables)}")
            continue
        try:
            values[name] = understand(variables[name], value)
        except ValueError as problem:
            problems.append(f"template variable {name!r} is {repr(value)[:80]} and {problem}")
    if problems:
        raise InvalidRequest(f"{what}: " + "; ".join(problems))
    return values
