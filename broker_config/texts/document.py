"""A document that was read, and the words in which reading fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from broker_config.errors import InvalidRequest

MAX_CHARACTERS = 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 50_000
"""Far more than any platform's objects have. They bound the work that a small text can ask for."""

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Mark(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int

    @classmethod
    def of(cls, text: str, index: int) -> Mark:
        breaks = list(_BREAK.finditer(text, 0, index))
        return cls(len(breaks) + 1, index - (breaks[-1].end() if breaks else 0) + 1)

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


UNQUOTED_VARIABLE = 'braces inside braces; if this is a template variable, write it in quotes, as "{{name}}"'
"""What everybody does once: both notations read a bare `{{name}}` as an object within an object."""


class Unreadable(Exception):
    """A text cannot be read; the message is one clause with the cure."""

    def __init__(self, mark: Mark, text: str) -> None:
        super().__init__(text)
        self.mark = mark


class Refused(Unreadable):
    """A text can be read, and says what no document may say."""


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and where each value of it stands in the text."""

    name: str
    data: Any
    marks: Mapping[str, Mark]  # by JSON Pointer (RFC 6901)

    @property
    def object(self) -> dict[str, Any]:
        """The data, if it is an object; nothing at all is an empty one.

        Raises:
            InvalidRequest: when it is something else.
        """
        if self.data is None:
            return {}
        if not isinstance(self.data, dict):
            raise InvalidRequest(f"{self.place('')}: this must be an object: names, each with its value")
        return self.data

    def mark(self, pointer: str) -> Mark:
        """Where a value stands; for one that is missing, where the nearest value around it does."""
        while pointer and pointer not in self.marks:
            pointer = pointer.rpartition("/")[0]
        return self.marks.get(pointer, Mark(1, 1))

    def place(self, pointer: str) -> str:
        """The same, as `gpu.yaml:12:5`."""
        return f"{self.name}:{self.mark(pointer)}"
