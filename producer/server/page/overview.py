"""The first page: how many wait, start and run, since when, who serves them, and what needs somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from broker_config.queues import QueueRecord
from broker_config.runs import now
from broker_config.states import State
from broker_config.store.agents import AgentInfo, Mode
from producer.installation import Installation
from producer.readable import counted
from producer.server.page.rendering import STARTING, Viewing, page

router = APIRouter()

RECENT = 12


class QueueRow(NamedTuple):
    """A queue in a list."""

    record: QueueRecord
    waiting: int
    starting: int
    running: int
    oldest_wait: datetime | None
    agents: int  # that are alive, and take its runs


def queue_rows(yard: Installation, agents: Sequence[tuple[AgentInfo, bool]]) -> list[QueueRow]:
    """All queues that are seen, the busiest first."""
    rows = []
    for record in yard.queues.list():
        counts = yard.queues.counts(record.name)
        waiting = counts[State.QUEUED]
        rows.append(
            QueueRow(
                record,
                waiting,
                sum(counts[state] for state in STARTING),
                counts[State.RUNNING],
                yard.queues.oldest_wait(record.name) if waiting else None,
                sum(serves(info, is_alive, record.name) for info, is_alive in agents),
            )
        )
    return sorted(rows, key=lambda row: (-(row.waiting + row.starting + row.running), row.record.name))


def serves(info: AgentInfo, is_alive: bool, queue: str) -> bool:
    """Whether an agent takes runs of a queue."""
    return is_alive and queue in info.queues and info.wish.mode is Mode.SERVING


@router.get("/")
def show(request: Request, viewer: Viewing) -> Response:
    """The overview."""
    agents = viewer.yard.agents.list()
    rows = queue_rows(viewer.yard, agents)
    lost = [info for info, is_alive in agents if not is_alive and info.live]
    return page(
        request,
        viewer,
        "overview.html",
        rows=rows,
        waiting=sum(row.waiting for row in rows),
        starting=sum(row.starting for row in rows),
        running=sum(row.running for row in rows),
        silent=sum(info.live for info in lost),
        oldest_wait=min((row.oldest_wait for row in rows if row.oldest_wait), default=None),
        alive=sum(is_alive for _, is_alive in agents),
        agents=len(agents),
        concerns=[*_concerns(rows, lost)],
        recent=[*islice(viewer.yard.runs.newest(), RECENT)],
    )


class Concern(NamedTuple):
    """Something that will not go on by itself."""

    text: str
    queue: str = ""


def _concerns(rows: Sequence[QueueRow], lost: Sequence[AgentInfo]) -> Iterator[Concern]:
    for info in lost:
        silence = now() - info.seen_at
        yield Concern(
            f"Agent {info.name} is silent for {_minutes(silence)} and holds {counted(info.live, 'run', 'runs')}; "
            "another agent of its queues takes them over, or start it again."
        )
    for row in rows:
        name, waiting = row.record.name, row.waiting
        if waiting and row.record.paused:
            why = f": {row.record.pause_reason}" if row.record.pause_reason else ""
            yield Concern(f"Queue {name} is paused{why}, and {counted(waiting, 'run waits', 'runs wait')}.", name)
        elif waiting and not row.agents:
            yield Concern(f"No agent serves queue {name}, and {counted(waiting, 'run waits', 'runs wait')}.", name)


def _minutes(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"{minutes} min" if minutes else "less than a minute"
