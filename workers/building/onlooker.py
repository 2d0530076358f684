"""Waiting for another's build, and seeing it go on."""

from __future__ import annotations

import time
from collections.abc import Callable

from broker_config.images import ImageOrigin
from broker_config.store.builds import AWAITS, BuildStore, Ended, Underway
from workers.building.log import BuildLog
from workers.building.wanted import Made, Wanted
from workers.failures import RunCancelled

READ_SECONDS = 0.5
"""Longest wait for news of another's build; the wish to cancel is asked for as often."""

LOOK_SECONDS = 1.0
"""How often one who waits asks for the lease. An end is told at once, but a builder that died tells nothing."""


class Onlooker:
    """A run that waits for another's build, and has in its log what that prints."""

    def __init__(self, builds: BuildStore, wanted: Wanted, key: str, write: Callable[[list[str]], None]) -> None:
        self._builds = builds
        self._wanted = wanted
        self._key = key
        self._log = BuildLog(write)
        self._other: Underway | None = None
        self._read_to = ""

    def wait(self, other: Underway) -> Made | None:
        """What the other one has built; None after a while, or when that build ended without one.

        Raises:
            RunCancelled: when the run waits no longer.
        """
        if other != self._other:
            self._other = other
            self._read_to = self._read_to or other.began
            what = f"the same for run {other.run}; it says:" if self._is_anothers else "it already"
            self._log.add(f"{AWAITS} {other.agent}, which builds {what}")
        try:
            artifact = self._wanted.find() if self._is_built() else None
            return Made(artifact, ImageOrigin.AWAITED) if artifact else None
        finally:
            self._log.flush()

    @property
    def _is_anothers(self) -> bool:
        return self._other is not None and self._other.run != self._wanted.run.id

    def _is_built(self) -> bool:
        deadline = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < deadline:
            if self._wanted.cancelled():
                raise RunCancelled("cancelled while another agent built its image")
            for news in self._builds.read(self._key, self._read_to, READ_SECONDS):
                self._read_to = news.id
                # A build for this very run, such as one ahead, writes to its log itself.
                for line in news.lines if self._is_anothers else ():
                    self._log.add(line)
                if news.ended:
                    return news.ended is Ended.BUILT
        return False
