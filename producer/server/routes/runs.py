"""Runs with their events and logs: `/runs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from broker_config.errors import InvalidRequest
from broker_config.queues import full_name
from broker_config.runs import Run, RunId
from broker_config.states import State
from broker_config.store.feed import Place
from broker_config.store.logs import LogEntry
from broker_config.store.runs import cursor_of
from broker_config.wanted import Wanted
from producer.server.asking import Asked, Watching
from producer.server.paging import Limit
from producer.wire import LONGEST_WAIT_SECONDS, EventSeen, LogBatch, NewPriority, NewsPage, Page

router = APIRouter(tags=["runs"])

Position = Annotated[str, Query(pattern=r"^\d{1,15}-\d{1,15}$")]
Cursor = Annotated[str, Query(pattern=r"^$|^\d{1,18}-[a-z2-9]{12}$", description="That of the page before.")]
Wait = Annotated[float | None, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for news.")]

NO_LOG = "999999999999999-0"
"""A place behind every log: for whoever waits for events alone."""

LOOKED_AT = 5000
"""Runs that one request looks at; its answer may have fewer than asked for, and a cursor."""


@dataclass(frozen=True)
class Chosen:
    """Which runs are wanted."""

    queue: Annotated[str, Query(description="A queue's full name.")] = ""
    entity: Annotated[str, Query(description="Who owns the queue.")] = ""
    state: Annotated[tuple[State, ...], Query(description="One of these.")] = ()
    author: str = ""
    name: Annotated[str, Query(description="A part of the run's name.")] = ""
    label: Annotated[tuple[str, ...], Query(description="`NAME=VALUE`; the run has all of them.")] = ()
    since: Annotated[AwareDatetime | None, Query(description="Launched then or later.")] = None
    until: Annotated[AwareDatetime | None, Query(description="Launched before.")] = None

    @property
    def wanted(self) -> Wanted:
        """The same as it is asked for elsewhere.

        Raises:
            InvalidRequest: when a label is no pair.
        """
        if wrong := [text for text in self.label if "=" not in text]:
            raise InvalidRequest(f"the label {wrong[0]!r} has no value; write NAME=VALUE")
        return Wanted(
            queue=full_name(self.queue) if self.queue else "",
            entity=self.entity,
            states=self.state,
            author=self.author,
            name=self.name,
            labels={name: value for name, _, value in (text.partition("=") for text in self.label)},
            since=self.since,
            until=self.until,
        )


@router.get("/runs")
def list_runs(
    *,
    asked: Asked,
    chosen: Annotated[Chosen, Depends()],
    history: Annotated[bool, Query(description="Those that have left the broker, in place of those there.")] = False,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Page[Run]:
    """The runs on the broker, or those of the history, newest first."""
    wanted, found = chosen.wanted, list[Run]()
    runs = asked.runs.kept(wanted, cursor) if history else asked.runs.newest(cursor)
    for looked, run in enumerate(runs, 1):
        if wanted.has(run):
            found.append(run)
        if looked == LOOKED_AT or len(found) == limit:
            return Page(items=found, cursor=cursor_of(run))
    return Page(items=found)


@router.get("/live-runs")
def list_live_runs(asked: Asked, queue: str = "", limit: Limit = 1000) -> list[Run]:
    """Runs that agents hold, the longest held first."""
    return asked.runs.live(queue, limit)


@router.get("/runs/{prefix}")
def get_run(asked: Asked, prefix: str) -> Run:
    """The run of that id, or whose id alone begins like that."""
    return asked.runs.find(prefix)


@router.post("/runs/{run_id}/cancel")
def cancel_run(asked: Asked, run_id: RunId) -> Run:
    """Wish for the end of a run."""
    return asked.runs.cancel(run_id)


@router.put("/runs/{run_id}/priority")
def set_priority(asked: Asked, run_id: RunId, wanted: NewPriority) -> Run:
    """Have a queued run leave its queue as if it had been enqueued with that priority."""
    return asked.runs.set_priority(run_id, wanted.priority)


@router.get("/runs/{run_id}/events")
async def list_events(
    asked: Asked, watcher: Watching, run_id: RunId, after: Position = "0-0", wait: Wait = None
) -> list[EventSeen]:
    """What has happened to a run since a position, oldest first."""
    found = await run_in_threadpool(asked.runs.events, run_id, after)
    if not found and wait:
        await watcher.wait(run_id, Place(after, NO_LOG), wait)
        found = await run_in_threadpool(asked.runs.events, run_id, after)
    return [EventSeen(position=position, event=event) for position, event in found]


@router.get("/runs/{run_id}/log")
def get_log(asked: Asked, run_id: RunId, after: Position = "0-0") -> list[LogBatch]:
    """What a run's build and job have printed since a position, oldest first."""
    return [_batch(entry) for entry in asked.runs.log(run_id, after)]


@router.get("/runs/{run_id}/news")
async def get_news(
    *,
    asked: Asked,
    watcher: Watching,
    run_id: RunId,
    events: Position = "0-0",
    log: Position = "0-0",
    wait: Wait = None,
) -> NewsPage:
    """Events and log lines together, in their order."""
    place = Place(events, log)
    news = await run_in_threadpool(asked.runs.feed, run_id, place)
    if not news.items and wait:
        await watcher.wait(run_id, place, wait)
        news = await run_in_threadpool(asked.runs.feed, run_id, place)
    seen = [_batch(item) if isinstance(item, LogEntry) else EventSeen(position="", event=item) for item in news.items]
    return NewsPage(items=seen, events=news.place.event, log=news.place.log)


def _batch(entry: LogEntry) -> LogBatch:
    return LogBatch(position=entry.id, stream=entry.stream, lines=entry.lines, before=entry.before)
