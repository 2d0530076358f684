"""Writes finished runs to the history, and only then drops them from the broker.

What could not be written stays on the broker. The broker's memory bounds how much that may become: a full one takes no
new runs, and loses none. A crash between the two has the run written again, which is one run all the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from broker_config.errors import LaunchyardError, TemporaryError
from broker_config.history import packed
from broker_config.history.protocol import History, Kept, LogPart
from broker_config.runs import Event, Run, RunId, now
from broker_config.store import Store
from broker_config.store.finished import FORGOTTEN_AT_ONCE, NO_RECORD

logger = logging.getLogger(__name__)

RUNS_OF_A_WRITE = 1000
BYTES_OF_A_WRITE = 32 * 1024 * 1024
"""Of packed logs that are held in memory, but for those of one run, which may be more."""

RUNS_READ_AT_ONCE = 50

ROUND_SECONDS = 45.0
"""How long one round goes on, less than the lease lasts."""


class Historian:
    """One agent's part in keeping the history. Of all agents, one writes at a time."""

    def __init__(self, store: Store, history: History, agent: str) -> None:
        self._store = store
        self._finished = store.finished
        self._history = history
        self._agent = agent
        self._is_prepared = False

    def prepare(self) -> None:
        """Say that there is a history, and make what it needs.

        Raises:
            ConfigError: when somebody has to put something right.
        """
        known = self._finished.keeping()
        if known and known.url not in {"", self._history.url}:
            logger.warning("history-other url=%s known=%s: runs go to both", self._history.url, known.url)
        self._finished.begin_keeping(self._history.url, self._agent)
        try:
            self._history.check()
        except TemporaryError as error:
            self._complain(error)
        else:
            self._is_prepared = True

    def keep(self) -> None:
        """Write what is due, for as long as a round may take."""
        if not self._finished.take_keeping(self._agent):
            return
        try:
            if not self._is_prepared:
                self.prepare()
            if self._is_prepared:
                self._keep_until(time.monotonic() + ROUND_SECONDS)
        except LaunchyardError as error:
            self._complain(error)
        finally:
            self._finished.release_keeping(self._agent)

    def _keep_until(self, deadline: float) -> None:
        count = 0
        while time.monotonic() < deadline and (ids := self._finished.due()) and self._is_worth_it(ids):
            written: set[RunId] = set()
            for runs in self._batches(ids):
                self._history.write(runs)
                written |= {kept.run.id for kept in runs}
                self._finished.forget({kept.run.id: kept.run.version for kept in runs})
                if time.monotonic() >= deadline:
                    break
            else:
                # Their records had expired before there was a history, so there is nothing that could be written.
                self._finished.forget(dict.fromkeys(set(ids) - written, NO_RECORD))
            self._finished.has_kept(self._agent)
            count += len(written)
        if count:
            logger.info("history-written runs=%d", count)

    def _is_worth_it(self, ids: Sequence[RunId]) -> bool:
        patience = self._history.patience_seconds
        if not patience or len(ids) >= FORGOTTEN_AT_ONCE:
            return True
        keeping = self._finished.keeping()
        return keeping is None or (now() - keeping.at).total_seconds() > patience

    def _batches(self, ids: Sequence[RunId]) -> Iterator[list[Kept]]:
        batch: list[Kept] = []
        for run in self._read(ids):
            batch.append(self._kept(run))
            if len(batch) == RUNS_OF_A_WRITE or sum(kept.log_bytes for kept in batch) > BYTES_OF_A_WRITE:
                yield batch
                batch = []
        if batch:
            yield batch

    def _read(self, ids: Sequence[RunId]) -> Iterator[Run]:
        for start in range(0, len(ids), RUNS_READ_AT_ONCE):
            found = self._store.runs.get_many(ids[start : start + RUNS_READ_AT_ONCE])
            yield from (run for run in found if run.state.is_terminal)

    def _kept(self, run: Run) -> Kept:
        return Kept(run, self._events(run.id), self._log(run.id))

    def _events(self, run_id: RunId) -> list[tuple[str, Event]]:
        events: list[tuple[str, Event]] = []
        while more := self._store.runs.events(run_id, events[-1][0] if events else "0-0"):
            events += more
        return events

    def _log(self, run_id: RunId) -> list[LogPart]:
        parts: list[LogPart] = []
        position = "0-0"
        while entries := self._store.logs.read(run_id, position):
            position = entries[-1].id
            parts += packed.pack_log(entries)
        return parts

    def _complain(self, error: LaunchyardError) -> None:
        waiting = self._finished.overdue(0)
        logger.error(
            "history-retry url=%s waiting=%d: finished runs stay on the broker, and fill it: %s",
            *(self._history.url, waiting, error),
        )
        self._finished.has_not_kept(self._agent, str(error))
