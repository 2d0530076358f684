"""Fixtures with real agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import QueueRecord
from broker_config.runs import Launch, Run, RunId, RunSpec, new_run_id, now
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from workers.targets.stub import StubTarget


@pytest.fixture
def agent(settings: Settings) -> Iterator[Callable[..., AgentProcess]]:
    """Makes agents, and ends at the end what is left of them."""
    made: list[AgentProcess] = []

    def make(*queues: str, **options: Any) -> AgentProcess:
        made.append(AgentProcess(settings, *queues, **options))
        return made[-1]

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def stub(settings: Settings) -> StubTarget:
    """The stub target that the agents of this test share."""
    return StubTarget(settings.home)


class Runs:
    """Enqueues stub runs, and waits for them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def enqueue(
        self,
        queue: QueueRecord,
        count: int = 1,
        priority: Priority = Priority.MEDIUM,
        fields: dict[str, Any] | None = None,
        **stub: Any,
    ) -> list[RunId]:
        """`fields` are further ones of the run's spec, `stub` is how the pretended job behaves."""
        job = Job(source=ImageSource(image="stub"), args=("--secret", "hunter2"), env={"TOKEN": "hunter2"})
        launch = Launch(queue=queue.name, job=job, overrides=stub, priority=priority)
        specs = [
            RunSpec(
                id=new_run_id(),
                name="test",
                queue=queue.queue,
                queue_revision=queue.revision,
                job=job,
                overrides=stub,
                priority=priority,
                **{"author": "tester", "created_at": now(), **(fields or {})},
            )
            for _ in range(count)
        ]
        return self._store.runs.enqueue(queue, [(spec, launch) for spec in specs], 1_000_000)

    def wait(self, ids: list[RunId], state: State, seconds: float = 60.0) -> list[Run]:
        """The runs once all are in that state."""
        eventually(
            lambda: all(run.state is state for run in self._store.runs.get_many(ids)), f"runs are {state}", seconds
        )
        return self._store.runs.get_many(ids)

    def wait_ended(self, ids: list[RunId], seconds: float = 60.0) -> list[Run]:
        """The runs once all have ended."""
        eventually(
            lambda: all(run.state.is_terminal for run in self._store.runs.get_many(ids)), "runs have ended", seconds
        )
        return self._store.runs.get_many(ids)

    def most_at_once(self, ids: list[RunId]) -> int:
        """How many of the runs were held at the same time, by their events."""
        changes = []
        for run_id in ids:
            for _, event in self._store.runs.events(run_id):
                if event.new is State.CLAIMED and event.old is State.QUEUED:
                    changes.append((event.at, 1))
                if event.new.is_terminal:
                    changes.append((event.at, -1))
        most = held = 0
        for _, change in sorted(changes):
            held += change
            most = max(most, held)
        return most


@pytest.fixture
def runs(store: Store) -> Runs:
    return Runs(store)
