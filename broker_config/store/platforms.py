"""Places at platforms in the store: what the agents that ask one of them have to know of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.commands.core import Script

from broker_config.connection import translated
from broker_config.platforms import Heard, Hint, Turn
from broker_config.store.keys import Keys

KEPT_SECONDS = 3600
"""After nobody has asked a place for so long, nothing of it is left here."""

MAX_HINTS = 1000
"""Kept of each place. Agents hear of them within seconds."""


class PlatformStore:
    """Turns, pauses and hints of each place, by the name that all agents have for it."""

    def __init__(self, keys: Keys, script: Script) -> None:
        """The script's client is one that gives up soon: whoever asks here can do without an answer."""
        self._keys = keys
        self._script = script

    def hear(self, place: str, after: str) -> Heard:
        """What was told since a position; "" is now."""
        position, pause, *told = self._call("hear", place, after)
        hints = [Hint(job, state) for job, state in zip(told[::2], told[1::2], strict=True)]
        return Heard(position, int(pause) / 1000, hints)

    def turn(self, place: str, period_seconds: float, spacing_seconds: float, *, alone: bool) -> Turn:
        """Ask for a turn: not within a period after another's, nor within the spacing of any.

        With `alone` another's is of no use to the caller, who then waits only for those who came before.
        """
        spans = (int(period_seconds * 1000), int(spacing_seconds * 1000))
        is_mine, wait = self._call("turn", place, *spans, "1" if alone else "")
        return Turn(bool(is_mine), int(wait) / 1000)

    def pause(self, place: str, seconds: float) -> None:
        """Have all agents leave a place alone; the longest of several pauses stands."""
        self._call("pause", place, int(seconds * 1000))

    def tell(self, place: str, hints: Sequence[Hint]) -> None:
        """Have all agents hear hints."""
        self._call("tell", place, MAX_HINTS, *(word for hint in hints for word in hint))

    def _call(self, operation: str, place: str, *more: Any) -> Any:
        keys = [self._keys.platform(place), self._keys.platform_hints(place)]
        with translated():
            return self._script(keys=keys, args=[operation, KEPT_SECONDS, *more])
