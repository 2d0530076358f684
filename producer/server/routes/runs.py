"""Runs with their events and logs: `/runs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from broker_config.runs import Run, RunId
from broker_config.states import State
from broker_config.store.feed import Place
from broker_config.store.logs import LogEntry
from broker_config.store.runs import cursor_of
from producer.server.asking import Asked
from producer.wire import LONGEST_WAIT_SECONDS, EventSeen, LogBatch, NewPriority, NewsPage, RunPage

router = APIRouter(prefix="/runs", tags=["runs"])

Position = Annotated[str, Query(pattern=r"^\d+-\d+$")]
Cursor = Annotated[str, Query(pattern=r"^$|^\d+-[a-z2-9]{12}$", description="That of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Wait = Annotated[float | None, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for news.")]

LOOKED_AT = 5000
"""Runs that one request looks at; its answer may have fewer than asked for, and a cursor."""


@dataclass(frozen=True)
class Chosen:
    """Which runs are wanted."""

    queue: Annotated[str | None, Query(description="A queue's full name.")] = None
    state: State | None = None
    author: str | None = None

    def has(self, run: Run) -> bool:
        """Whether a run is one of them."""
        wanted = (self.queue, self.state, self.author)
        given = (run.spec.queue.full_name, run.state, run.spec.author)
        return all(want in {None, have} for want, have in zip(wanted, given, strict=True))


@router.get("")
def list_runs(asked: Asked, chosen: Annotated[Chosen, Depends()], cursor: Cursor = "", limit: Limit = 100) -> RunPage:
    """The runs that are kept, newest first."""
    found: list[Run] = []
    for looked, run in enumerate(asked.runs.newest(cursor), 1):
        if chosen.has(run):
            found.append(run)
        if looked == LOOKED_AT or len(found) == limit:
            return RunPage(runs=found, cursor=cursor_of(run))
    return RunPage(runs=found)


@router.get("/{prefix}")
def get_run(asked: Asked, prefix: str) -> Run:
    """The run of that id, or whose id alone begins like that."""
    return asked.runs.find(prefix)


@router.post("/{run_id}/cancel")
def cancel_run(asked: Asked, run_id: RunId) -> Run:
    """Wish for the end of a run."""
    return asked.runs.cancel(run_id)


@router.put("/{run_id}/priority")
def set_priority(asked: Asked, run_id: RunId, wanted: NewPriority) -> Run:
    """Have a queued run leave its queue as if it had been enqueued with that priority."""
    return asked.runs.set_priority(run_id, wanted.priority)


@router.get("/{run_id}/events")
def list_events(asked: Asked, run_id: RunId, after: Position = "0-0", wait: Wait = None) -> list[EventSeen]:
    """What has happened to a run since a position, oldest first."""
    found = asked.runs.events(run_id, after, wait)
    return [EventSeen(position=position, event=event) for position, event in found]


@router.get("/{run_id}/log")
def get_log(asked: Asked, run_id: RunId, after: Position = "0-0") -> list[LogBatch]:
    """What a run's build and job have printed since a position, oldest first."""
    return [_batch(entry) for entry in asked.runs.log(run_id, after)]


@router.get("/{run_id}/news")
def get_news(
    asked: Asked, run_id: RunId, events: Position = "0-0", log: Position = "0-0", wait: Wait = None
) -> NewsPage:
    """Events and log lines together, in their order."""
    items, place = asked.runs.feed(run_id, Place(events, log), wait)
    seen = [_batch(item) if isinstance(item, LogEntry) else EventSeen(position="", event=item) for item in items]
    return NewsPage(items=seen, events=place.event, log=place.log)


def _batch(entry: LogEntry) -> LogBatch:
    return LogBatch(position=entry.id, stream=entry.stream, lines=entry.lines, before=entry.before)
