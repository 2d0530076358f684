"""Agents and the queues of teams."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker_config.queues import QueueRecord
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess
from tests.integration.conftest import Runs


@pytest.fixture
def of_team(store: Store, queue: QueueRecord) -> QueueRecord:
    """A queue of a team, which has the name of one of the default entity."""
    return store.queues.create(queue.queue.model_copy(update={"entity": "team-a"}))


@pytest.mark.parametrize("arguments", [("team-a/gpu-queue",), ("gpu-queue", "--entity", "team-a")])
def test_a_worker_carries_out_the_runs_of_a_teams_queue_and_no_others(
    store: Store,
    queue: QueueRecord,
    of_team: QueueRecord,
    runs: Runs,
    agent: Callable[..., AgentProcess],
    arguments: tuple[str, ...],
) -> None:
    # Given a run on each of two queues of one name, the other team's first
    (other,) = runs.enqueue(queue)

    # When a Celery worker serves the one
    worker = agent(arguments[0]).start(*arguments[1:])
    (ended,) = runs.wait_ended(runs.enqueue(of_team, lines=["done"]))

    # Then its run is carried out, and the other one still waits
    assert (ended.state, ended.spec.queue.full_name, ended.agent) == (State.SUCCEEDED, "team-a/gpu-queue", worker.name)
    assert store.runs.get(other).state is State.QUEUED
    (info,) = [info for info, _ in store.agents.list()]
    assert info.queues == ("team-a/gpu-queue",)
