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


class Pace:
    """When the next list is due."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._period = bounds.fastest
        self._errors = 0
        self._due = float("-inf")

    @property
    def seconds_left(self) -> float:
        """Until the next list is due; 0 or less: it is."""
        return self._due - time.monotonic()

    @property
    def is_pausing(self) -> bool:
        """Whether the platform is to be left alone after an error."""
        return self._errors > 0 and self.seconds_left > 0

    def hurry(self) -> None:
        """Something was begun, and news will follow soon."""
        self._period = self.bounds.fastest
        if not self._errors:
            self._due = min(self._due, time.monotonic() + self._period)

    def answered(self, *, with_news: bool) -> None:
        """The platform has answered."""
        self._errors = 0
        self._period = self.bounds.fastest if with_news else min(self._period * GROWTH, self.bounds.slowest)
        self._due = time.monotonic() + self._period

    def failed(self, hint_seconds: float = 0.0) -> None:
        """It has not: twice as long with each time, and at different moments for each agent."""
        self._errors += 1
        pause = min(self.bounds.fastest * 2.0 ** min(self._errors - 1, 10), self.bounds.longest_pause)
        self._due = time.monotonic() + max(hint_seconds, pause) * random.uniform(1.0, 1.5)
