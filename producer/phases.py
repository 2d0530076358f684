"""A run's time, phase by phase: the bars on its page, and those of `launchyard show --timeline`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from broker_config.runs import Event, now
from broker_config.states import State


class Phase(NamedTuple):
    """A time in which a run stayed in one state."""

    state: State
    attempt: int
    began_at: datetime
    ended_at: datetime | None  # None: it goes on
    start: float  # in thousandths of the whole
    width: float

    @property
    def took(self) -> timedelta:
        return (self.ended_at or now()) - self.began_at


NARROWEST = 4.0
"""Thousandths of the whole that even a short phase has, so that it is seen."""


def of(events: Sequence[Event]) -> list[Phase]:
    """The phases of a run with these events, the first one first; none when its events have expired."""
    changes = [
        event
        for event, earlier in zip(events, [None, *events], strict=False)
        if earlier is None or (event.new, event.attempt) != (earlier.new, earlier.attempt)
    ]
    if not changes:
        return []
    first, last = changes[0].at, changes[-1].at if changes[-1].new.is_terminal else now()
    whole = max((last - first).total_seconds(), 0.001)
    found = []
    for event, following in zip(changes, [*changes[1:], None], strict=True):
        if event.new.is_terminal:
            continue
        until = following.at if following else last
        start = (event.at - first).total_seconds() / whole * 1000
        width = max((until - event.at).total_seconds() / whole * 1000, NARROWEST)
        start = min(start, 1000 - width)
        found.append(Phase(event.new, event.attempt, event.at, following.at if following else None, start, width))
    return found
