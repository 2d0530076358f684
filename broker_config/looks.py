"""What a look at a part of an installation found: the words that `check` and `agent check` share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a look ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """At what, how it ended, and what to do."""

    status: Status
    subject: str
    text: str
