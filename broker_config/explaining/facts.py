"""What is read of the store for an explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from broker_config.queues import QueueRecord
from broker_config.runs import Event, Run, RunId
from broker_config.states import State
from broker_config.store.agents import AgentInfo

Fleet = Sequence[tuple[AgentInfo, bool]]
"""All agents, each with whether its lease is alive."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue, and who serves it."""

    at: datetime  # the time of the reading
    name: str
    fleet: Fleet
    record: QueueRecord | None = None  # None: it was deleted
    counts: Mapping[State, int] = field(default_factory=dict)
    live: Sequence[Run] = ()  # its runs that agents hold, the longest held first; read where a limit asks for them

    @property
    def waiting_count(self) -> int:
        return self.counts.get(State.QUEUED, 0)

    @property
    def live_count(self) -> int:
        return sum(count for state, count in self.counts.items() if state.is_live)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run, its queue, and what it has said."""

    run: Run
    queue: QueueFacts
    ahead: int | None = None  # runs that leave the queue before it; None: it does not wait in line, or far behind
    others: Mapping[RunId, Run] = field(default_factory=dict)  # those that it waits for and that have a record
    events: Sequence[Event] = ()
    build_lines: Sequence[str] = ()  # the last ones
    awaited: str = ""  # the line of the build's log that says whose build it waits for
    job_lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent, and what its queues have for it."""

    at: datetime
    info: AgentInfo
    is_alive: bool
    version: str  # of Launchyard here
    waiting: int = 0  # runs of its queues that wait in line
    closed: Mapping[str, str] = field(default_factory=dict)  # those of its queues, each with `paused` or `full`
