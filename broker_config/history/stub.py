"""A history in this process's memory: for tests, and to start a new kind from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from broker_config.errors import NotFound
from broker_config.history import packed
from broker_config.history.protocol import Amount, Kept
from broker_config.runs import Event, Run, now
from broker_config.store.logs import LogEntry
from broker_config.store.runs import cursor_of
from broker_config.wanted import Wanted


class StubHistory:
    """See `broker_config.history.protocol.History`."""

    patience_seconds = 0.0

    def __init__(self, url: str) -> None:
        """All of one URL are one, as `open_history` keeps it."""
        self.url = url
        self._runs: dict[str, tuple[Kept, datetime]] = {}

    def check(self) -> None:
        """Nothing has to be made."""

    def write(self, runs: Sequence[Kept]) -> None:
        for kept in runs:
            _, written_at = self._runs.get(kept.run.id, (kept, now()))
            self._runs[kept.run.id] = (kept, written_at)

    def get(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise NotFound(f"run {run_id!r} is not in the history")
        kept, written_at = self._runs[run_id]
        return kept.run.model_copy(update={"in_history_since": written_at})

    def ids(self, prefix: str, limit: int) -> list[str]:
        return sorted(run_id for run_id in self._runs if run_id.startswith(prefix))[:limit]

    def page(self, wanted: Wanted, cursor: str, limit: int) -> list[Run]:
        runs = sorted(map(self.get, [*self._runs]), key=_order, reverse=True)
        place, _, last = cursor.partition("-")
        behind = (run for run in runs if not cursor or _order(run) < (int(place), last))
        return [run for run in behind if wanted.has(run)][:limit]

    def events(self, run_id: str) -> list[tuple[str, Event]]:
        return list(self._runs[run_id][0].events) if run_id in self._runs else []

    def log(self, run_id: str, after: str) -> list[LogEntry]:
        parts = self._runs[run_id][0].log if run_id in self._runs else []
        found = (part.data for part in parts if part.last > packed.padded(after))
        return next((packed.unpack_log(data, after) for data in found), [])

    def amount(self) -> Amount:
        times = [kept.run.spec.created_at for kept, _ in self._runs.values()]
        size_bytes = sum(kept.log_bytes for kept, _ in self._runs.values())
        return Amount(len(times), size_bytes, min(times, default=None), max(times, default=None))


def _order(run: Run) -> tuple[int, str]:
    place, _, run_id = cursor_of(run).partition("-")
    return int(place), run_id
