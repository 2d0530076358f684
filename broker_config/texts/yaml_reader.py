"""YAML 1.1, as the platforms' own tools read it, as far as JSON can hold what it says.

The parser is PyYAML's. Values are made here and not by its loader, which would make objects of a program, take the last
of two equal keys and unfold aliases without a limit. Two readings differ from YAML 1.1: `22:22` is a text and not a
number to the base 60, and `1e3` is the number that it is in JSON.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

import yaml
from yaml.events import AliasEvent, DocumentStartEvent, Event, MappingStartEvent, ScalarEvent

from broker_config.pointers import Path, children, to_pointer
from broker_config.texts import yaml_scalars
from broker_config.texts.document import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    UNQUOTED_VARIABLE,
    Mark,
    Refused,
    Unreadable,
)

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it; the same events at a tenth of the time."""

_INDENTED_BY_TAB = re.compile(r" *\t")
_HINTS = {
    "mapping values are not allowed": "; a text with ': ' in it needs quotes",
    "expected <block end>": "; look at the indentation of this line and of those above",
    "did not find expected key": "; look at the indentation of this line and of those above",
    "could not find expected ':'": "; look at the indentation, and whether a ':' is missing",
    "end of stream": "; a quote or a bracket is still open",
    "cannot start any token": "; put the text into quotes",
}
"""By a part of the parser's words: what people did, mostly."""


def read(text: str) -> tuple[Any, dict[str, Mark]]:
    """The value of a text, and the marks of all values in it by JSON Pointer.

    Raises:
        Unreadable: when the text is not YAML, or says what JSON cannot hold.
    """
    reader = _Reader(yaml.parse(text, Loader=_LOADER))
    try:
        return reader.document(), reader.marks
    except yaml.MarkedYAMLError as error:
        raise _syntax(text, error) from None


def _syntax(text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    lines = text.splitlines()
    at = error.problem_mark or error.context_mark
    line = at.line if at else 0
    for number in (line, line - 1):
        if 0 <= number < len(lines) and _INDENTED_BY_TAB.match(lines[number]):
            return Unreadable(
                Mark(number + 1, lines[number].index("\t") + 1), "a tab is here, and YAML is indented with spaces only"
            )
    problem = error.problem or "it cannot be read"
    hint = next((cure for part, cure in _HINTS.items() if part in problem), "")
    words = ", ".join(part for part in (error.context, problem) if part)
    return Unreadable(Mark(line + 1, at.column + 1 if at else 1), f"this is not YAML: {words}{hint}")


class _Reader:
    """One stream of the parser's events."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str | None, Any] = {}
        self._open: set[str] = set()  # anchors whose value is being read
        self._values = 0
        self._unfolded_characters = 0
        self.marks: dict[str, Mark] = {}

    def document(self) -> Any:
        value, is_read = None, False
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if is_read:
                    raise Refused(_mark(event), "a second document begins here; keep one of them")
                value, is_read = self._value(next(self._events), ()), True
        return value

    def _value(self, event: Event, path: Path) -> Any:
        if len(path) > MAX_DEPTH:
            raise Refused(_mark(event), f"this is nested deeper than {MAX_DEPTH} levels")
        self._count(event, 1)
        # A member of an object has its key's place already.
        self.marks.setdefault(to_pointer(path), _mark(event))
        if isinstance(event, AliasEvent):
            return self._alias(event, path)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors.pop(anchor, None)
            self._open.add(anchor)
        value = self._fresh(event, path)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = value
        return value

    def _fresh(self, event: Event, path: Path) -> Any:
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        yaml_scalars.check_collection(event.tag, _mark(event))  # type: ignore[attr-defined]
        return self._mapping(path) if isinstance(event, MappingStartEvent) else self._sequence(path)

    def _sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, str(len(found)))))
        return found

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
                merged = {**_mergeable(self._value(next(self._events), (*path, "<<")), event), **merged}
                continue
            key = self._key(event)
            if key in found:
                raise Refused(_mark(event), f"the key {key!r} is here for the second time; remove one of the two")
            self.marks[to_pointer((*path, key))] = _mark(event)
            found[key] = self._value(next(self._events), (*path, key))
        return {**merged, **found}

    def _key(self, event: Event) -> str:
        if isinstance(event, AliasEvent):
            key = self._anchors.get(event.anchor)
        elif isinstance(event, ScalarEvent):
            key = _scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = key
        else:
            is_variable = isinstance(event, MappingStartEvent)
            raise Refused(_mark(event), UNQUOTED_VARIABLE if is_variable else "a key must be text, not a list")
        if not isinstance(key, str):
            shown = event.value if isinstance(event, ScalarEvent) else key
            raise Refused(_mark(event), f"the key {shown} is not text in YAML; put it into quotes")
        return key

    def _alias(self, event: AliasEvent, path: Path) -> Any:
        if event.anchor in self._open:
            raise Refused(_mark(event), f"the alias '*{event.anchor}' is inside of what it stands for")
        if event.anchor not in self._anchors:
            raise Refused(_mark(event), f"the alias '*{event.anchor}' stands for nothing: no '&{event.anchor}' above")
        value = self._anchors[event.anchor]
        values, characters, height = _size(value)
        self._count(event, values)
        self._unfolded_characters += characters
        if self._unfolded_characters > MAX_CHARACTERS or len(path) + height > MAX_DEPTH:
            raise Refused(_mark(event), f"the alias '*{event.anchor}' makes the document too large; write less")
        # A copy, as in JSON: a change in one place is none in the other.
        return copy.deepcopy(value)

    def _count(self, event: Event, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise Refused(_mark(event), f"there are more than {MAX_VALUES:,} values up to here, aliases unfolded")


def _mergeable(value: Any, event: Event) -> dict[str, Any]:
    """What `<<` merges: an object, or a list of them of which the first wins."""
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in parts):
        raise Refused(_mark(event), "'<<' merges objects, and this is something else")
    return {key: item for part in reversed(parts) for key, item in part.items()}


def _size(value: Any) -> tuple[int, int, int]:
    """How many values are in a value, how many characters are in its texts, and how deep it goes."""
    values, characters, height = 1, len(value) if isinstance(value, str) else 0, 0
    for name, item in children(value):
        below = _size(item)
        values += below[0]
        characters += below[1] + len(name)
        height = max(height, below[2] + 1)
    return values, characters, height


def _scalar(event: ScalarEvent) -> Any:
    value = yaml_scalars.resolve(event.value, event.tag, is_plain=event.implicit[0], mark=_mark(event))
    if isinstance(value, float) and not isfinite(value):
        raise Refused(_mark(event), f"JSON has no number {event.value}; write a finite one, or text in quotes")
    return value


def _mark(event: Event) -> Mark:
    start: Any = event.start_mark
    return Mark(start.line + 1, start.column + 1)
