"""How often a platform is asked for all jobs at once: often while something changes, seldom while nothing does."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

GROWTH = 1.5
"""Each answer without news makes the next period longer by it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """In seconds."""

    fastest: float = 3.0  # after news
    slowest: float = 20.0  # a change is seen no later
    fresh: float = 1.0  # an answer that is no older is not asked for again, where nobody follows the jobs
    stale: float = 20.0  # an answer that is no older is told while the platform gives no other
    settled: float = 5.0  # after its end a job's last lines have arrived
    longest_pause: float = 60.0  # after errors, unless the platform asks for more
    # Where several agents ask:
    listening: float = 1.0  # what the others tell is heard no later
    spacing: float = 1.0  # between any two lists of theirs
    alone: float = 60.0  # an agent lists for itself at least so often, whatever the others have told


class Pace:
    """When the next list is due."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._period = bounds.fastest
        self._errors = 0
        self._due = float("-inf")
        self._paused_until = float("-inf")

    @property
    def period(self) -> float:
        """Seconds between two lists, as it is now."""
        return self._period

    @property
    def seconds_left(self) -> float:
        """Until the next list is due; 0 or less: it is."""
        return max(self._due, self._paused_until) - time.monotonic()

    @property
    def is_pausing(self) -> bool:
        """Whether the platform is to be left alone after an error."""
        return time.monotonic() < self._paused_until

    def hurry(self, seconds: float | None = None) -> None:
        """News will follow within the shortest period, as something was begun, or within `seconds`."""
        self._period = self.bounds.fastest
        self._due = min(self._due, time.monotonic() + (self._period if seconds is None else seconds))

    def defer(self, seconds: float) -> None:
        """Another agent has the list, and told of no news; it may be wanted again after `seconds`."""
        self._period = min(self._period * GROWTH, self.bounds.slowest)
        self._due = time.monotonic() + seconds

    def pause(self, seconds: float) -> None:
        """The platform wants to be left alone for so long."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def answered(self, *, with_news: bool) -> None:
        """The platform has answered."""
        self._errors = 0
        self._period = self.bounds.fastest if with_news else min(self._period * GROWTH, self.bounds.slowest)
        self._due = time.monotonic() + self._period

    def failed(self, hint_seconds: float = 0.0) -> None:
        """It has not: twice as long with each time, and at different moments for each agent."""
        self._errors += 1
        pause = min(self.bounds.fastest * 2.0 ** min(self._errors - 1, 10), self.bounds.longest_pause)
        self.pause(max(hint_seconds, pause) * random.uniform(1.0, 1.5))
