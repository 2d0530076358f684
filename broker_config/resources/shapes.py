"""What a platform's types say about the values of a config, and the check of a config against them.

A shape is made from a platform's own description of its types. A text with a macro in it passes for a scalar of any
kind: what will stand there is not known yet, but that it is no list and no object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker_config.errors import did_you_mean
from broker_config.findings import Finding, error, warning
from broker_config.placeholders import is_open
from broker_config.pointers import Path, to_pointer

_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")


class Shape(Protocol):
    """What a value may be."""

    def check(self, value: Any, path: Path) -> Iterator[Finding]:
        """What is wrong with a value that stands at `path`."""


class Anything:
    """No value is wrong here."""

    def check(self, value: Any, path: Path) -> Iterator[Finding]:  # noqa: ARG002
        return iter(())


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value with nothing inside."""

    noun: str  # with its article
    types: tuple[type, ...]
    words: tuple[str, ...] = ()  # the texts that it may be, as far as is known; empty: any

    def check(self, value: Any, path: Path) -> Iterator[Finding]:
        if isinstance(value, str) and is_open(value):
            return
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            yield error(to_pointer(path), f"this must be {self.noun}, not {described(value)}{self._cure(value)}")
        elif self.words and value not in self.words:
            # Only a warning: a platform learns new words more often than its client is brought up to date.
            known = did_you_mean(str(value), self.words)
            yield warning(to_pointer(path), f"{value!r} is not one of the words that the client knows{known}")

    def _cure(self, value: Any) -> str:
        if str in self.types and isinstance(value, bool | int | float):
            return "; write it in quotes"
        if str not in self.types and isinstance(value, str):
            return "; write it without quotes" if re.fullmatch(r"-?[\d.]+|true|false", value) else ""
        return ""


TEXT = Scalar("text", (str,))
INTEGER = Scalar("a whole number", (int,))
NUMBER = Scalar("a number", (int, float))
BOOLEAN = Scalar("true or false", (bool,))
ANYTHING = Anything()


class Quantity:
    """An amount with a unit, as Kubernetes writes it (its API reference, `resource.Quantity`)."""

    def check(self, value: Any, path: Path) -> Iterator[Finding]:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            yield error(to_pointer(path), f"this must be an amount such as 2, 500m or 16Gi, not {described(value)}")
        elif isinstance(value, str) and not is_open(value) and not _QUANTITY.fullmatch(value):
            yield error(to_pointer(path), f"{value!r} is not an amount; write one such as 2, 500m or 16Gi")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items have one shape."""

    item: Shape
    fewest: int = 0

    def check(self, value: Any, path: Path) -> Iterator[Finding]:
        if isinstance(value, list | tuple):
            if len(value) < self.fewest:
                yield error(to_pointer(path), f"this must have at least {self.fewest} item")
            for place, item in enumerate(value):
                yield from self.item.check(item, (*path, str(place)))
        else:
            yield error(to_pointer(path), f"this must be a list, not {described(value)}")


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object whose names are its author's own."""

    item: Shape

    def check(self, value: Any, path: Path) -> Iterator[Finding]:
        if isinstance(value, Mapping):
            for name, item in value.items():
                yield from self.item.check(item, (*path, name))
        else:
            yield error(to_pointer(path), f"this must be an object, not {described(value)}")


@dataclass(frozen=True, slots=True)
class Members:
    """An object with fields that its type names."""

    what: str  # the type's name
    fields: Callable[[], Mapping[str, Shape]]  # called late, since types may hold themselves
    required: Sequence[str] = ()
    spell: Callable[[str], str] = str  # from how people may write a field to its name
    lenient: bool = False
    """Whether null stands for an absent field, and a field that is like no other may be one of a later release."""

    def check(self, value: Any, path: Path) -> Iterator[Finding]:
        if not isinstance(value, Mapping):
            yield error(to_pointer(path), f"this must be an object, not {described(value)}")
            return
        fields = self.fields()
        given = {self.spell(name) for name in value}
        for name in self.required:
            if name not in given:
                yield error(to_pointer(path), f"{self.what} needs {name!r}; add it")
        for name, item in value.items():
            shape = fields.get(self.spell(name))
            if shape is None:
                yield self._unknown(name, fields, (*path, name))
            elif item is not None or not self.lenient:
                yield from shape.check(item, (*path, name))

    def _unknown(self, name: str, fields: Mapping[str, Shape], path: Path) -> Finding:
        near = did_you_mean(self.spell(name), fields)
        if near.startswith("; did you mean"):
            return error(to_pointer(path), f"{self.what} has no field {name!r}{near}")
        if self.lenient:
            return warning(to_pointer(path), f"{self.what} has no field {name!r}, unless the platform is newer")
        return error(to_pointer(path), f"{self.what} has no field {name!r}; remove it")


def described(value: Any) -> str:
    """A value in a few words."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return f"the text {value[:40]!r}" if isinstance(value, str) else str(value).lower()[:40]
