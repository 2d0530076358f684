"""What a check says about a config: how bad it is, where, and the cure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """Whether a config with this in it can be taken."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing about a config that its author should know."""

    severity: Severity
    pointer: str  # JSON Pointer (RFC 6901) of the place in the config; "" is all of it
    text: str  # one clause that says what is wrong, and the cure
    place: str = ""  # file, line and column, where the config was read from a text

    def __str__(self) -> str:
        where = self.place or self.pointer
        return f"{where}: {self.text}" if where else self.text

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def error(pointer: str, text: str) -> Finding:
    """Something with which the config cannot work."""
    return Finding(Severity.ERROR, pointer, text)


def warning(pointer: str, text: str) -> Finding:
    """Something that is likely to be a mistake."""
    return Finding(Severity.WARNING, pointer, text)
