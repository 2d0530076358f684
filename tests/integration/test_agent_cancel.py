"""Cancelling, from wherever a person does it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from celery.exceptions import TaskRevokedError

from broker_config.celery_app import create_app
from broker_config.queues import QueueRecord
from broker_config.runs import State
from broker_config.settings import Settings
from broker_config.store import Store
from tests.agents import AgentProcess
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]


def test_a_running_run_is_cancelled_at_its_target(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=600)
    (run,) = runs.wait(ids, State.RUNNING)

    # When
    store.runs.request_cancel(run, "alice")
    (run,) = runs.wait_ended(ids)

    # Then
    assert (run.state, run.failure, run.cancel_requested_by) == (State.CANCELLED, "cancelled", "alice")


def test_a_queued_run_is_cancelled_without_an_agent_and_never_submitted(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    (run_id,) = runs.enqueue(queue)

    # When
    store.runs.request_cancel(store.runs.get(run_id), "alice")
    result = create_app(settings).AsyncResult(run_id)

    # Then
    with pytest.raises(TaskRevokedError, match="alice"):
        result.get(timeout=5)
    agent("gpu-queue").start()
    runs.wait_ended(runs.enqueue(queue))
    assert len(stub.submissions()) == 1


def test_revoke_with_terminate_cancels_a_running_run(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=600)
    runs.wait(ids, State.RUNNING)

    # When
    app = create_app(settings)
    app.control.revoke(ids[0], terminate=True)
    (run,) = runs.wait_ended(ids)

    # Then
    assert run.state is State.CANCELLED
    assert app.AsyncResult(run.id).state == "REVOKED"


def test_a_revoked_run_that_is_queued_stays_cancelled_after_the_agent_restarted(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    process = agent("gpu-queue", max_jobs=1).start()
    (first,) = runs.enqueue(queue, seconds=3)
    runs.wait([first], State.RUNNING)
    (second,) = runs.enqueue(queue)

    # When
    create_app(settings).control.revoke(second)
    runs.wait([second], State.CANCELLED)
    process.kill()
    process.start()
    runs.wait_ended([first])
    runs.wait_ended(runs.enqueue(queue))

    # Then
    assert len(stub.submissions()) == 2


def test_inspect_shows_a_running_run_and_none_of_its_arguments(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=30)
    runs.wait(ids, State.RUNNING)

    # When
    active = create_app(settings).control.inspect(timeout=5).active()

    # Then
    assert active is not None
    (request,) = active["agent@test"]
    assert request["id"] == ids[0]
    assert "queue=gpu-queue priority=medium" in request["kwargs"]
    assert "hunter2" not in str(active)
