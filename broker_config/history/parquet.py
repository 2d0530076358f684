"""A history of Parquet files in a folder or object store: `s3://bucket/folder`, `gs://`, `abfs://`, `file:///folder`.

A write is one file, whose name says of when its runs are. What was written twice is in two files, and is read once.
Every program that reads Parquet can search the columns; a run itself is in the packed ones.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from broker_config.errors import ConfigError, NotFound
from broker_config.history import packed
from broker_config.history.protocol import Amount, Kept
from broker_config.places import open_place
from broker_config.runs import Event, Run, now
from broker_config.store.logs import LogEntry
from broker_config.wanted import Wanted

PATIENCE_SECONDS = 3600.0
"""Many small files are slow to read, so runs wait until there are a thousand of them, or for that long."""

_TIME = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("id", "queue", "entity", "state", "author", "name", "labels"), pa.string()),
        **dict.fromkeys(("created_at", "ended_at", "written_at"), _TIME),
        "place": pa.int64(),
        "exit_code": pa.int32(),
        "run": pa.binary(),
        "events": pa.binary(),
        "log": pa.list_(pa.struct({"last": pa.string(), "data": pa.binary()})),
    }
)
_NAME = re.compile(r"runs-(\d+)-(\d+)-[0-9a-f]{32}\.parquet")


class _File(NamedTuple):
    """One file, and between which places its runs are."""

    last: int
    first: int
    name: str


class ParquetHistory:
    """See `broker_config.history.protocol.History`."""

    patience_seconds = PATIENCE_SECONDS

    def __init__(self, url: str) -> None:
        """The bucket, or the folder above, has to be there."""
        self.url = url
        self._place = open_place(url)

    def check(self) -> None:
        """That one may write there, and read."""
        name = f"trial-{uuid4().hex}"
        self._place.put(name, io.BytesIO())
        self._place.names()
        self._place.delete(name)

    def write(self, runs: Sequence[Kept]) -> None:
        if not runs:
            return
        rows = [_row(kept) for kept in sorted(runs, key=lambda kept: kept.run.id)]
        places = [kept.run.place for kept in runs]
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), file, compression="ZSTD")
        file.seek(0)
        self._place.put(f"runs-{min(places)}-{max(places)}-{uuid4().hex}.parquet", file)

    def get(self, run_id: str) -> Run:
        for row in self._rows(["run", "written_at"], pc.field("id") == run_id):
            return packed.unpack_run(row["run"], row["written_at"])
        raise NotFound(f"run {run_id!r} is not in the history")

    def ids(self, prefix: str, limit: int) -> list[str]:
        found = {row["id"] for row in self._rows(["id"], pc.starts_with(pc.field("id"), prefix))}
        return sorted(found)[:limit]

    def page(self, wanted: Wanted, cursor: str, limit: int) -> list[Run]:
        place, _, last = cursor.partition("-")
        behind = (int(place), last) if cursor else None
        condition = _condition(wanted, behind)
        found: dict[tuple[int, str], dict[str, Any]] = {}
        for file in self._files():
            # Files overlap, as runs end in another order than they were launched.
            full = sorted(found, reverse=True)[:limit]
            if len(full) == limit and file.last < full[-1][0]:
                break
            if behind and file.first > behind[0]:
                continue
            for row in self._read(file.name, ["id", "place", "labels", "run", "written_at"], condition):
                if wanted.labels.items() <= json.loads(row["labels"]).items():
                    found[(row["place"], row["id"])] = row
        chosen = [found[key] for key in sorted(found, reverse=True)[:limit]]
        return [packed.unpack_run(row["run"], row["written_at"]) for row in chosen]

    def events(self, run_id: str) -> list[tuple[str, Event]]:
        for row in self._rows(["events"], pc.field("id") == run_id):
            return packed.unpack_events(row["events"])
        return []

    def log(self, run_id: str, after: str) -> list[LogEntry]:
        for row in self._rows(["log"], pc.field("id") == run_id):
            parts = (part["data"] for part in row["log"] if part["last"] > packed.padded(after))
            return next((packed.unpack_log(data, after) for data in parts), [])
        return []

    def amount(self) -> Amount:
        times: dict[str, datetime] = {}
        size_bytes = 0
        for file in self._files():
            times |= {row["id"]: row["created_at"] for row in self._read(file.name, ["id", "created_at"])}
            with self._place.open(file.name) as opened:
                size_bytes += opened.seek(0, io.SEEK_END)
        return Amount(len(times), size_bytes, min(times.values(), default=None), max(times.values(), default=None))

    def _rows(self, columns: list[str], condition: pc.Expression) -> Iterator[dict[str, Any]]:
        for file in self._files():
            yield from self._read(file.name, columns, condition)

    def _files(self) -> list[_File]:
        """Those with the newest runs first."""
        matches = (_NAME.fullmatch(name) for name in self._place.names())
        return sorted((_File(int(match[2]), int(match[1]), match[0]) for match in matches if match), reverse=True)

    def _read(self, name: str, columns: list[str], condition: pc.Expression | None = None) -> list[dict[str, Any]]:
        try:
            with self._place.open(name) as file:
                table = pq.read_table(file, columns=columns, filters=condition)
        except pa.ArrowInvalid as error:
            raise ConfigError(f"the history's file {self.url}/{name} is damaged: {error}") from error
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def _condition(wanted: Wanted, behind: tuple[int, str] | None) -> pc.Expression | None:
    field = pc.field
    conditions = [field(name) == value for name in ("queue", "entity", "author") if (value := getattr(wanted, name))]
    if wanted.states:
        conditions.append(field("state").isin([str(state) for state in wanted.states]))
    if wanted.name:
        conditions.append(pc.match_substring(field("name"), wanted.name))
    if wanted.since:
        conditions.append(field("created_at") >= pa.scalar(wanted.since, _TIME))
    if wanted.until:
        conditions.append(field("created_at") < pa.scalar(wanted.until, _TIME))
    if behind:
        place, run_id = behind
        conditions.append((field("place") < place) | ((field("place") == place) & (field("id") < run_id)))
    joined: pc.Expression | None = None
    for condition in conditions:
        joined = condition if joined is None else joined & condition
    return joined


def _row(kept: Kept) -> dict[str, Any]:
    run, spec = kept.run, kept.run.spec
    return {
        "id": run.id,
        "queue": spec.queue.full_name,
        "entity": spec.queue.entity,
        "state": str(run.state),
        "author": spec.author,
        "name": spec.name,
        "labels": json.dumps(spec.labels),
        "created_at": spec.created_at,
        "ended_at": run.ended_at or run.since,
        "written_at": now(),
        "place": run.place,
        "exit_code": run.exit_code,
        "run": packed.pack_run(run),
        "events": packed.pack_events(kept.events),
        "log": [part._asdict() for part in kept.log],
    }
