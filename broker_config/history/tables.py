"""A history in two tables of a database: what SQLite and PostgreSQL have in common.

Times are microseconds since 1970. What is searched has a column, everything else is in the packed record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from broker_config.errors import NotFound
from broker_config.history import packed
from broker_config.history.protocol import Amount, Kept
from broker_config.runs import Event, Run, now
from broker_config.store.logs import LogEntry
from broker_config.wanted import Wanted

SCHEMA = 1
"""The version of the tables; a newer one is refused."""

COLUMNS = (
    *("id", "place", "queue", "entity", "state", "author", "name", "labels", "created_at", "ended_at", "written_at"),
    *("run", "events"),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cursor(Protocol):
    """What `sqlite3` and psycopg agree on (PEP 249)."""

    def execute(self, text: Any, values: Any = ..., /) -> Any: ...

    def executemany(self, text: Any, values: Any, /) -> Any: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between databases."""

    mark: str  # in the place of a value
    has_part: str  # condition: the name has this part
    has_label: str  # condition: there is a label of this name with this value
    size: str  # query for how many bytes there are


class Tables:
    """See `broker_config.history.protocol.History`."""

    patience_seconds = 0.0

    def __init__(
        self,
        url: str,
        dialect: Dialect,
        transaction: Callable[[], AbstractContextManager[Cursor]],
        create: Callable[[], None],
    ) -> None:
        """`url` is without a password. A transaction is over with its block; `create` makes what is missing."""
        self.url = url
        self._dialect = dialect
        self._transaction = transaction
        self.check = create

    def write(self, runs: Sequence[Kept]) -> None:
        # In one order, so that no two writers wait for each other.
        runs = sorted(runs, key=lambda kept: kept.run.id)
        mark = self._dialect.mark
        marks = ", ".join([mark] * len(COLUMNS))
        renewed = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:] if column != "written_at")
        with self._transaction() as cursor:
            cursor.executemany(
                f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {renewed}",
                [_row(kept) for kept in runs],
            )
            cursor.executemany(f"DELETE FROM logs WHERE run = {mark}", [(kept.run.id,) for kept in runs])
            cursor.executemany(
                f"INSERT INTO logs (run, part, last, data) VALUES ({mark}, {mark}, {mark}, {mark})",
                [(kept.run.id, number, *part) for kept in runs for number, part in enumerate(kept.log)],
            )

    def get(self, run_id: str) -> Run:
        found = self._read(f"SELECT run, written_at FROM runs WHERE id = {self._dialect.mark}", run_id)
        if not found:
            raise NotFound(f"run {run_id!r} is not in the history")
        return _run(found[0])

    def ids(self, prefix: str, limit: int) -> list[str]:
        mark = self._dialect.mark
        # The letters of an id come before "~", so that an index serves, whatever the database compares by.
        text = f"SELECT id FROM runs WHERE id >= {mark} AND id < {mark} ORDER BY id LIMIT {mark}"
        return [run_id for (run_id,) in self._read(text, prefix, f"{prefix}~", limit)]

    def page(self, wanted: Wanted, cursor: str, limit: int) -> list[Run]:
        conditions = [*self._conditions(wanted, cursor)]
        where = f"WHERE {' AND '.join(text for text, _ in conditions)}" if conditions else ""
        values = [value for _, values in conditions for value in values]
        text = f"SELECT run, written_at FROM runs {where} ORDER BY place DESC, id DESC LIMIT {self._dialect.mark}"
        return [_run(row) for row in self._read(text, *values, limit)]

    def _conditions(self, wanted: Wanted, cursor: str) -> Iterator[tuple[str, Sequence[Any]]]:
        mark = self._dialect.mark
        for column in ("queue", "entity", "author"):
            if value := getattr(wanted, column):
                yield f"{column} = {mark}", [value]
        if wanted.states:
            yield f"state IN ({', '.join([mark] * len(wanted.states))})", [str(state) for state in wanted.states]
        if wanted.name:
            yield self._dialect.has_part, [wanted.name]
        for label in wanted.labels.items():
            yield self._dialect.has_label, label
        if wanted.since:
            yield f"created_at >= {mark}", [_microseconds(wanted.since)]
        if wanted.until:
            yield f"created_at < {mark}", [_microseconds(wanted.until)]
        if cursor:
            place, _, last = cursor.partition("-")
            yield f"(place, id) < ({mark}, {mark})", [int(place), last]

    def events(self, run_id: str) -> list[tuple[str, Event]]:
        found = self._read(f"SELECT events FROM runs WHERE id = {self._dialect.mark}", run_id)
        return packed.unpack_events(bytes(found[0][0])) if found else []

    def log(self, run_id: str, after: str) -> list[LogEntry]:
        mark = self._dialect.mark
        text = f"SELECT data FROM logs WHERE run = {mark} AND last > {mark} ORDER BY part LIMIT 1"
        found = self._read(text, run_id, packed.padded(after))
        return packed.unpack_log(bytes(found[0][0]), after) if found else []

    def amount(self) -> Amount:
        ((runs, oldest, newest),) = self._read("SELECT count(*), min(created_at), max(created_at) FROM runs")
        ((size_bytes,),) = self._read(self._dialect.size)
        return Amount(runs, size_bytes, oldest and _time(oldest), newest and _time(newest))

    def _read(self, text: str, *values: Any) -> list[Any]:
        with self._transaction() as cursor:
            cursor.execute(text, values)
            return list(cursor.fetchall())


def _row(kept: Kept) -> tuple[Any, ...]:
    run, spec = kept.run, kept.run.spec
    return (
        *(run.id, run.place, spec.queue.full_name, spec.queue.entity, str(run.state), spec.author, spec.name),
        json.dumps(spec.labels),
        _microseconds(spec.created_at),
        _microseconds(run.ended_at or run.since),
        _microseconds(now()),
        packed.pack_run(run),
        packed.pack_events(kept.events),
    )


def _run(row: Sequence[Any]) -> Run:
    data, written_at = row
    return packed.unpack_run(bytes(data), _time(written_at))


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
