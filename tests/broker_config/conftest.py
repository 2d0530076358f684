"""Fixtures of the contract's tests: runs on a queue, and an agent session that a test drives by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker_config.connection import connect
from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import QueueRecord
from broker_config.runs import Launch, Run, RunId, RunSpec, new_run_id, now
from broker_config.settings import Settings
from broker_config.states import Reason, State
from broker_config.store import Store
from broker_config.store.agents import AgentInfo
from broker_config.store.changes import Change
from broker_config.store.claims import Claimed

MAX_BYTES = 1_000_000
JOB = Job(source=ImageSource(image="team/train:1"), args=("--lr", "0.1"), env={"TOKEN": "hunter2"})


def launch_of(queue: QueueRecord, priority: Priority = Priority.MEDIUM, key: str | None = None, **more: Any) -> Launch:
    """A launch on the queue; `more` are overrides."""
    return Launch(queue=queue.name, job=JOB, overrides=more, priority=priority, idempotency_key=key)


def spec_of(queue: QueueRecord, launch: Launch, run_id: RunId | None = None) -> RunSpec:
    """The spec of a run for a launch, as a producer makes it."""
    return RunSpec(
        id=run_id or new_run_id(),
        name="train-1",
        queue=queue.queue,
        queue_revision=queue.revision,
        job=launch.job,
        overrides=launch.overrides,
        priority=launch.priority,
        author="alice",
        created_at=now(),
    )


def agent_info(name: str = "agent@host", live: int = 0) -> AgentInfo:
    """What an agent says of itself."""
    return AgentInfo(
        name=name,
        queues=("gpu-queue",),
        max_jobs=-1,
        live=live,
        host="host",
        site="host home",
        pid=1,
        version="0",
        started_at=now(),
        seen_at=now(),
    )


class Hand:
    """Enqueues runs, and takes them through their states as an agent's session does."""

    name = "agent@hand"
    session = "session-1"

    def __init__(self, store: Store, queue: QueueRecord) -> None:
        self.store = store
        self.queue = queue
        self.fence = store.agents.new_fence()
        store.agents.take(self.name, self.session, 600)

    def enqueue(self, count: int = 1, priority: Priority = Priority.MEDIUM) -> list[Run]:
        launch = launch_of(self.queue, priority)
        pairs = [(spec_of(self.queue, launch), launch) for _ in range(count)]
        return self.store.runs.get_many(self.store.runs.enqueue(self.queue, pairs, MAX_BYTES))

    def claim(self, run: Run) -> Run:
        outcome, claimed = self.store.runs.claim(run.spec, self.name, self.fence, self.session)
        assert outcome is Claimed.CLAIMED
        assert claimed is not None
        return claimed

    def move(self, run: Run, state: State, reason: Reason | None = None, **fields: Any) -> Run:
        """Bring a run to a state."""
        reason = reason or (Reason.EXITED if state.is_terminal else Reason.RUNNING)
        return self.store.runs.change(run, Change(state, reason, "It moved.", self.name, fields, fence=self.fence))

    def requeue(self, run: Run) -> Run:
        return self.move(run, State.QUEUED, Reason.REQUEUED, agent="", attempt=run.attempt + 1)

    def run_in(self, state: State) -> Run:
        """A run that got to that state."""
        (run,) = self.enqueue()
        if state is State.QUEUED:
            return run
        claimed = self.claim(run)
        return claimed if state is State.CLAIMED else self.move(claimed, state)


@pytest.fixture
def hand(store: Store, queue: QueueRecord) -> Hand:
    return Hand(store, queue)


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    """The broker as `redis-cli` sees it."""
    client = connect(settings)
    yield client
    client.close()
