"""What happens to a run and what it prints, read together: one blocking read for both, so that nobody polls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from broker_config.connection import TextClient, translated
from broker_config.runs import Event
from broker_config.store import streams
from broker_config.store.keys import Keys
from broker_config.store.logs import LogEntry


class Place(NamedTuple):
    """How far a reader has come in a run's events and in its log."""

    event: str = "0-0"
    log: str = "0-0"


class News(NamedTuple):
    """What came after a place, oldest first, and the place behind it."""

    items: list[Event | LogEntry]
    place: Place


class Feed:
    """Read a run's events and log lines in the order in which they were written."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def read(self, run_id: str, after: Place, block_seconds: float | None = None) -> News:
        """What came after a place; waits up to `block_seconds` for something."""
        events, logs = self._keys.run_events(run_id), self._keys.run_logs(run_id)
        block = streams.block(block_seconds)
        with translated():
            reply: Any = self._client.xread({events: after.event, logs: after.log}, count=1000, block=block)
        found = streams.entries_by_stream(reply)
        new_events, new_logs = found.get(events, []), found.get(logs, [])
        items: list[tuple[str, Event | LogEntry]] = []
        items += [(entry_id, streams.event(fields)) for entry_id, fields in new_events]
        items += [(entry_id, LogEntry.of(entry_id, fields)) for entry_id, fields in new_logs]
        # Two streams have one clock and a count of their own within a millisecond, so that is not compared. The sort
        # keeps the order of what is equal: an event comes before the lines of its millisecond.
        items.sort(key=lambda item: int(item[0].partition("-")[0]))
        place = Place(
            new_events[-1][0] if new_events else after.event,
            new_logs[-1][0] if new_logs else after.log,
        )
        return News([item for _, item in items], place)

    def wait(self, places: Mapping[str, Place], block_seconds: float) -> set[str]:
        """Which of these runs have news after their places; waits up to `block_seconds` for one. One read for all."""
        streams_of = {self._keys.run_events(run_id): (run_id, place.event) for run_id, place in places.items()}
        streams_of |= {self._keys.run_logs(run_id): (run_id, place.log) for run_id, place in places.items()}
        after = {key: position for key, (_, position) in streams_of.items()}
        with translated():
            reply: Any = self._client.xread(after, count=1, block=streams.block(block_seconds))
        return {streams_of[key][0] for key, found in streams.entries_by_stream(reply).items() if found}
