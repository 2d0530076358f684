"""Runs and explanations, asked for over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from broker_config.explaining.explanation import Explanation
from broker_config.priorities import Priority
from broker_config.runs import Event, Run, RunId
from broker_config.store.feed import News, Place
from broker_config.store.logs import LogEntry
from broker_config.wanted import Wanted
from producer.over_http.connection import Connection
from producer.wire import (
    API,
    EventSeen,
    LogBatch,
    NewPriority,
    NewsPage,
    Page,
    queue_path,
)


class RunsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def get(self, run_id: RunId) -> Run:
        return self.find(run_id)

    def find(self, prefix: str) -> Run:
        return self._ask(Run, "GET", _run_path(prefix))

    def newest(self, cursor: str = "") -> Iterator[Run]:
        return self._all(Page[Run], f"{API}/runs", cursor)

    def kept(self, wanted: Wanted, cursor: str = "") -> Iterator[Run]:
        given = wanted.model_dump(mode="json", exclude_defaults=True, exclude={"states", "labels"})
        labels = [f"{name}={value}" for name, value in wanted.labels.items()]
        states = [str(state) for state in wanted.states]
        return self._all(Page[Run], f"{API}/runs", cursor, history=True, state=states, label=labels, **given)

    def waiting(self, queue: str, limit: int = 100) -> list[Run]:
        return self._ask(list[Run], "GET", f"{queue_path(queue)}/waiting", limit=limit)

    def live(self, queue: str = "", limit: int = 1000) -> list[Run]:
        return self._ask(list[Run], "GET", f"{API}/live-runs", queue=queue, limit=limit)

    def cancel(self, run_id: RunId) -> Run:
        return self._ask(Run, "POST", f"{_run_path(run_id)}/cancel")

    def set_priority(self, run_id: RunId, priority: Priority) -> Run:
        return self._ask(Run, "PUT", f"{_run_path(run_id)}/priority", NewPriority(priority=priority))

    def events(self, run_id: RunId, after: str = "0-0", block_seconds: float | None = None) -> list[tuple[str, Event]]:
        found = self._ask(list[EventSeen], "GET", f"{_run_path(run_id)}/events", after=after, wait=block_seconds)
        return [(seen.position, seen.event) for seen in found]

    def log(self, run_id: RunId, after: str = "0-0") -> list[LogEntry]:
        return [_entry(batch) for batch in self._ask(list[LogBatch], "GET", f"{_run_path(run_id)}/log", after=after)]

    def feed(self, run_id: RunId, after: Place, block_seconds: float | None = None) -> News:
        path = f"{_run_path(run_id)}/news"
        page = self._ask(NewsPage, "GET", path, events=after.event, log=after.log, wait=block_seconds)
        items = [_entry(item) if isinstance(item, LogBatch) else item.event for item in page.items]
        return News(items, Place(page.events, page.log))


class ExplanationsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def run(self, run_id: RunId) -> Explanation:
        return self._ask(Explanation, "GET", f"{_run_path(run_id)}/explanation")

    def queue(self, name: str) -> Explanation:
        return self._ask(Explanation, "GET", f"{queue_path(name)}/explanation")

    def agent(self, name: str) -> Explanation:
        return self._ask(Explanation, "GET", f"{API}/agents/{quote(name, safe='')}/explanation")


def _run_path(run_id: str) -> str:
    return f"{API}/runs/{quote(run_id, safe='')}"


def _entry(batch: LogBatch) -> LogEntry:
    return LogEntry(batch.position, batch.stream, batch.lines, batch.before)
