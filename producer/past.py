"""Finished runs that have left the broker: what is read of the history, where this process knows one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from broker_config.errors import InvalidRequest, NotFound
from broker_config.history import open_history, packed
from broker_config.history.protocol import History
from broker_config.runs import RUN_ID_PREFIX, Event, Run
from broker_config.store import Store
from broker_config.store.feed import News, Place
from broker_config.store.logs import LogEntry
from broker_config.store.runs import cursor_of
from broker_config.wanted import Wanted

PAGE = 200


class Past:
    """Runs of the history; none where the settings name no history."""

    def __init__(self, store: Store, url: str | None) -> None:
        self._store = store
        self._url = url

    @cached_property
    def _history(self) -> History | None:
        return open_history(self._url) if self._url else None

    def find(self, prefix: str) -> Run:
        """The run whose id begins like that.

        Raises:
            NotFound: when there is none, and when nobody here knows of a history.
            InvalidRequest: when there are several.
        """
        history = self._history
        if history is None or not RUN_ID_PREFIX.fullmatch(prefix):
            told = f"run {prefix!r} does not exist, or ended longer ago than records are kept"
            raise NotFound(f"{told}{self._elsewhere()}")
        ids = history.ids(prefix, 2)
        if len(ids) > 1:
            raise InvalidRequest(f"several runs of the history begin with {prefix!r}; give more of the id")
        if not ids:
            raise NotFound(f"run {prefix!r} does not exist: neither the broker nor the history has it")
        return history.get(ids[0])

    def get(self, run_id: str) -> Run:
        """The run of that id.

        Raises:
            NotFound: when it is not there.
        """
        run = self.find(run_id)
        if run.id != run_id:
            raise NotFound(f"run {run_id!r} does not exist: neither the broker nor the history has it")
        return run

    def newest(self, wanted: Wanted, cursor: str = "") -> Iterator[Run]:
        """Those that are wanted, newest first; behind the run of a cursor.

        Raises:
            NotFound: when there is no history, or nobody here knows of it.
        """
        if self._history is None:
            keeps = self._elsewhere() or "; none is kept: set LAUNCHYARD_HISTORY for agents, and here"
            raise NotFound(f"there is no history of finished runs here{keeps}")
        while page := self._history.page(wanted, cursor, PAGE):
            yield from page
            cursor = cursor_of(page[-1])

    def _elsewhere(self) -> str:
        """The clause that says where a history is that only others know."""
        keeping = None if self._history else self._store.finished.keeping()
        return f"; agents keep one at {keeping.url}: set LAUNCHYARD_HISTORY here too" if keeping else ""

    def has(self, run_id: str) -> bool:
        """Whether to look here for a run: the broker has no record of it."""
        return self._history is not None and not self._store.runs.standings([run_id])

    def events(self, run_id: str, after: str) -> list[tuple[str, Event]]:
        """What has happened to a run since a position, oldest first."""
        found = self._history.events(run_id) if self._history else []
        return [(position, event) for position, event in found if packed.padded(position) > packed.padded(after)]

    def log(self, run_id: str, after: str) -> list[LogEntry]:
        """The next part of a run's log."""
        return self._history.log(run_id, after) if self._history else []

    def feed(self, run_id: str, after: Place) -> News:
        """Events, and then the log: they are told apart by nothing that somebody would wait for any more."""
        events, log = self.events(run_id, after.event), self.log(run_id, after.log)
        place = Place(events[-1][0] if events else after.event, log[-1].id if log else after.log)
        return News([*(event for _, event in events), *log], place)
