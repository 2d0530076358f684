"""Waiting for news, for any number of readers: one question to the broker is for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker_config.errors import TemporaryError
from broker_config.store.feed import Feed, Place
from broker_config.store.pulse import Kind, Pulse

logger = logging.getLogger(__name__)

ASKED_SECONDS = 0.5
"""Longest time until a run of which somebody wants news is among those that are asked for."""

PULSE_SECONDS = 1.0
"""How old an answer may be on whether lists have changed."""


@dataclass(frozen=True, eq=False)
class _Reader:
    run_id: str
    place: Place
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class RunWatcher:
    """Wakes whoever waits for news of a run. Of one event loop."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.is_stopped = False  # the server ends, and so does whoever waits
        self._readers: set[_Reader] = set()
        self._task: asyncio.Task[None] | None = None

    async def wait(self, run_id: str, place: Place, seconds: float) -> None:
        """Return when a run has news after that place, or when the time is over."""
        reader = _Reader(run_id, place)
        if self.is_stopped:
            return
        self._readers.add(reader)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.woken.wait(), seconds)
        finally:
            self._readers.discard(reader)

    def stop(self) -> None:
        """Wake everybody, for good."""
        self.is_stopped = True
        for reader in self._readers:
            reader.woken.set()

    async def _watch(self) -> None:
        while readers := [*self._readers]:
            places: dict[str, Place] = {}
            for reader in readers:
                # Of several who read one run, the one who is behind the others.
                places[reader.run_id] = min(places.get(reader.run_id, reader.place), reader.place, key=_order)
            try:
                found = await asyncio.to_thread(self._feed.wait, places, ASKED_SECONDS)
            except TemporaryError as error:
                logger.warning("watch-failed %s", error)
                await asyncio.sleep(ASKED_SECONDS)
                continue
            for reader in readers:
                if reader.run_id in found:
                    reader.woken.set()
                    self._readers.discard(reader)
        self._task = None


class ListWatcher:
    """Tells when lists have changed; asks the broker once a second at most, and only while somebody wants to know."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._lock = asyncio.Lock()
        self._stopped = asyncio.Event()
        self._read: Mapping[Kind, str] = {}
        self._read_at = 0.0

    async def changed(self, known: Mapping[Kind, str]) -> Mapping[Kind, str] | None:
        """The pulse, as soon as it is another one than the one known; None when the server ends."""
        while (now := await self._fresh()) == known:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), PULSE_SECONDS)
            if self._stopped.is_set():
                return None
        return now

    def stop(self) -> None:
        """Wake everybody, for good."""
        self._stopped.set()

    async def _fresh(self) -> Mapping[Kind, str]:
        async with self._lock:
            if time.monotonic() - self._read_at > PULSE_SECONDS:
                self._read = await asyncio.to_thread(self._pulse.read)
                self._read_at = time.monotonic()
            return self._read


def _order(place: Place) -> tuple[list[int], ...]:
    return tuple([int(part) for part in position.split("-")] for position in place)
