"""Runs, events and logs as bytes: JSON, compressed. Every kind of history keeps the same bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from broker_config.history.protocol import LogPart
from broker_config.runs import Event, Run, RunSpec
from broker_config.store.logs import LogEntry

PART_CHARACTERS = 2 * 1024 * 1024
"""About so much of a log is one part: what is unpacked at once by a reader."""


def pack_run(run: Run) -> bytes:
    """The record, with its spec."""
    return zlib.compress(run.model_dump_json(exclude={"in_history_since"}).encode())


def unpack_run(data: bytes, written_at: datetime) -> Run:
    """The record, with a word of where it comes from."""
    fields = json.loads(zlib.decompress(data))
    spec = RunSpec.model_validate(fields.pop("spec"))
    return Run.model_validate({**fields, "spec": spec, "in_history_since": written_at})


def pack_events(events: Iterable[tuple[str, Event]]) -> bytes:
    return zlib.compress(json.dumps([[position, event.model_dump(mode="json")] for position, event in events]).encode())


def unpack_events(data: bytes) -> list[tuple[str, Event]]:
    return [(position, Event.model_validate(event)) for position, event in json.loads(zlib.decompress(data))]


def pack_log(entries: Iterable[LogEntry]) -> Iterator[LogPart]:
    """A log, or the next piece of one, in parts."""
    batches: list[LogEntry] = []
    room = PART_CHARACTERS
    for entry in entries:
        batches.append(entry)
        room -= sum(map(len, entry.lines))
        if room <= 0:
            yield _part(batches)
            batches, room = [], PART_CHARACTERS
    if batches:
        yield _part(batches)


def unpack_log(data: bytes, after: str) -> list[LogEntry]:
    """The batches of a part that are behind a position."""
    found = (LogEntry(*fields) for fields in json.loads(zlib.decompress(data)))
    return [entry for entry in found if padded(entry.id) > padded(after)]


def padded(position: str) -> str:
    """A position in a log, so that texts compare as positions do."""
    milliseconds, _, number = position.partition("-")
    return f"{milliseconds:0>15}-{number:0>15}"


def _part(batches: Sequence[LogEntry]) -> LogPart:
    return LogPart(padded(batches[-1].id), zlib.compress(json.dumps(batches).encode()))
