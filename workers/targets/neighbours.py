"""The other agents that ask the same place of a platform: each would be throttled for what all of them ask.

They take turns at the list, as it tells of everybody's jobs: who reads in it of another's job gives a hint of that, and
the other looks. What one agent is asked to wait, all do. Whoever hears of no other agent asks as if there were none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from broker_config.errors import LaunchyardError
from broker_config.platforms import Heard, Hint, Turn
from workers.targets.pace import Bounds

logger = logging.getLogger(__name__)

NAMELESS_SECONDS = 600.0
"""A place whose account could not be told is asked for its name again after so long."""


class Limits(Protocol):
    """Where agents share what a platform allows all of them. No call raises, nor takes long."""

    def hear(self, place: str, after: str) -> Heard:
        """What was told of a place since a position; "" is now."""

    def turn(self, place: str, period_seconds: float, spacing_seconds: float, *, alone: bool) -> Turn:
        """Whether the caller may list now; with `alone`, what others have listed is of no use to it."""

    def pause(self, place: str, seconds: float) -> None:
        """Have all leave a place alone."""

    def tell(self, place: str, hints: Sequence[Hint]) -> bool:
        """Have all hear hints; whether they will."""


@runtime_checkable
class Sharing(Protocol):
    """A target whose platform limits what all agents of an account may ask."""

    def share(self, limits: Limits) -> None:
        """Keep within what all agents may ask. Called before everything else but `locate`."""


class Follower(Protocol):
    """Who follows jobs at one place."""

    @property
    def is_idle(self) -> bool:
        """Whether none of its jobs lives, so that it asks nothing."""

    def heeds(self, hint: Hint) -> bool:
        """Whether a hint says something new of one of its jobs."""


class Neighbours:
    """The other agents at one place."""

    def __init__(self, limits: Limits | None, find_name: Callable[[], str], follower: Follower) -> None:
        """`find_name` gives the name that all agents have for the place. It may ask the platform, and fail."""
        self._limits = limits
        self._find_name = find_name
        self._follower = follower
        self._name = ""
        self._nameless_until = 0.0
        self._position = ""

    @property
    def are_heard(self) -> bool:
        """Whether there may be any."""
        return bool(self._limits and self._name)

    def hear(self) -> tuple[float, bool]:
        """The seconds for which the place is to be left alone; and whether a hint tells this agent to look."""
        if self._limits is None or self._follower.is_idle or not self._knows_name():
            return 0.0, False
        self._position, pause, hints = self._limits.hear(self._name, self._position)
        return pause, any(self._follower.heeds(hint) for hint in hints)

    def turn(self, period_seconds: float, bounds: Bounds, *, alone: bool) -> Turn:
        """Whether this agent may look now; `alone`: whether others cannot do it for this agent."""
        if self._limits is None or self._follower.is_idle or not self._knows_name():
            return Turn(True, 0.0)
        return self._limits.turn(self._name, period_seconds * 0.9, bounds.spacing, alone=alone)

    def pause(self, seconds: float) -> None:
        """Have the others leave the place alone too."""
        if self._limits and self._name:
            self._limits.pause(self._name, seconds)

    def tell(self, hints: Sequence[Hint]) -> None:
        """Say what was read of jobs that are not this agent's."""
        if self._limits and self._name and hints:
            self._limits.tell(self._name, hints)

    def _knows_name(self) -> bool:
        if not self._name and time.monotonic() >= self._nameless_until:
            try:
                self._name = self._find_name()
            except LaunchyardError as error:
                logger.warning("limits-unshared: %s", error)
                self._nameless_until = time.monotonic() + NAMELESS_SECONDS
        return bool(self._name)
