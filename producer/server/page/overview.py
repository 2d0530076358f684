"""The first page: how many wait, start and run, since when, who serves them, and what needs somebody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from broker_config.explaining.explanation import Code
from broker_config.explaining.facts import Fleet, QueueFacts
from broker_config.explaining.fleet import agent as explain_agent
from broker_config.explaining.queues import obstacles
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
    counts: Mapping[State, int]
    oldest_wait: datetime | None
    agents: int  # that are alive, and take its runs

    @property
    def waiting(self) -> int:
        return self.counts[State.QUEUED]

    @property
    def starting(self) -> int:
        return sum(self.counts[state] for state in STARTING)

    @property
    def running(self) -> int:
        return self.counts[State.RUNNING]


def queue_rows(yard: Installation, agents: Fleet) -> list[QueueRow]:
    """All queues that are seen, the busiest first."""
    rows = []
    for record in yard.queues.list():
        counts = yard.queues.counts(record.name)
        oldest_wait = yard.queues.oldest_wait(record.name) if counts[State.QUEUED] else None
        takers = sum(serves(info, is_alive, record.name) for info, is_alive in agents)
        rows.append(QueueRow(record, counts, oldest_wait, takers))
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
        concerns=[*_concerns(rows, agents, lost)],
        recent=[*islice(viewer.yard.runs.newest(), RECENT)],
    )


NOT_BY_ITSELF = frozenset({Code.QUEUE_PAUSED, Code.NO_AGENT, Code.NO_AGENT_FOR_QUEUE, Code.AGENTS_AWAY})
"""Why runs wait that will not go on by themselves."""


class Concern(NamedTuple):
    """Something that needs somebody."""

    text: str
    queue: str = ""


def _concerns(rows: Sequence[QueueRow], fleet: Fleet, lost: Sequence[AgentInfo]) -> Iterator[Concern]:
    at = now()
    for info in lost:
        told = explain_agent(info, False, at)
        yield Concern(f"{told.text} {told.next_action}")
    for row in rows:
        facts = QueueFacts(at, row.record.name, fleet, row.record, row.counts)
        found = [one.text for one in obstacles(facts) if one.code in NOT_BY_ITSELF] if row.waiting else []
        if found:
            yield Concern(f"{' '.join(found)} {counted(row.waiting, 'run waits', 'runs wait')}.", row.record.name)
