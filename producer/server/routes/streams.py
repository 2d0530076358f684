"""Server-sent events (HTML, section 9.2): what happens to a run, and that lists have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from broker_config.errors import InvalidRequest
from broker_config.runs import Event, RunId
from broker_config.store.feed import Place
from broker_config.store.logs import LogEntry
from broker_config.store.pulse import Kind
from producer.server.asking import Asked, Watching, WatchingLists
from producer.wire import EventSeen, LogBatch, places

router = APIRouter(tags=["streams"])

REFRESH_SECONDS = 30.0
"""How often a stream asks anew whether its reader may still see the run."""


def _begin(
    asked: Asked,
    run_id: RunId,
    after: Annotated[str, Query(description="Places in events and log: `EVENTS/LOG`.")] = "0-0/0-0",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Place:
    """Where a stream begins: whatever is wrong is told before it does."""
    asked.runs.get(run_id)
    place = places(last_event_id or after)
    if place is None:
        raise InvalidRequest(f"{last_event_id or after!r} is no place in a run; write EVENTS/LOG, such as 0-0/0-0")
    return place


@router.get("/runs/{run_id}/stream", response_class=EventSourceResponse)
async def stream_run(
    asked: Asked, watcher: Watching, run_id: RunId, place: Annotated[Place, Depends(_begin)]
) -> AsyncIterator[ServerSentEvent]:
    """What happens to a run and what it prints, as `event` and `log`; its end comes last, as `end`.

    An event's id is the place behind it, for `Last-Event-ID`. What came since the last id may come twice.
    """
    end: EventSeen | None = None
    while True:
        # Read before its news: what comes before the end has been written by then.
        run = await run_in_threadpool(asked.runs.get, run_id)
        news = await run_in_threadpool(asked.runs.feed, run_id, place)
        for item in news.items:
            if isinstance(item, Event) and item.new.is_terminal:
                end = EventSeen(position="", event=item)
            else:
                yield _said(item, f"{news.place.event}/{news.place.log}" if item is news.items[-1] else None)
        place = news.place
        if not news.items:
            if run.state.is_terminal:
                yield ServerSentEvent(event="end", data=end)
                return
            await watcher.wait(run_id, place, REFRESH_SECONDS)
            if watcher.is_stopped:
                return


@router.get("/stream", response_class=EventSourceResponse)
async def stream_changes(_: Asked, watcher: WatchingLists) -> AsyncIterator[ServerSentEvent]:
    """That queues, runs or agents have changed, as `changed` with their kinds; at most once a second."""
    known: Mapping[Kind, str] = {}
    while (now := await watcher.changed(known)) is not None:
        # The first answer says that the stream is there.
        changed = [kind for kind in now if known and now[kind] != known[kind]]
        yield ServerSentEvent(event="changed", data=changed)
        known = now


def _said(item: Event | LogEntry, place: str | None) -> ServerSentEvent:
    if isinstance(item, LogEntry):
        batch: Any = LogBatch(position=item.id, stream=item.stream, lines=item.lines, before=item.before)
        return ServerSentEvent(event="log", data=batch, id=place)
    return ServerSentEvent(event="event", data=EventSeen(position="", event=item), id=place)
