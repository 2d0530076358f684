"""One run, all the way: through the broker, a real agent, and back."""

from __future__ import annotations

from collections.abc import Callable

from broker_config.celery_app import create_app
from broker_config.queues import QueueRecord
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess
from tests.integration.conftest import Runs

AgentMaker = Callable[..., AgentProcess]


def test_a_run_goes_from_queued_to_succeeded_and_its_log_is_kept(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    ids = runs.enqueue(queue, seconds=0.3, lines=["epoch 1", "accuracy 0.97"])
    (run,) = runs.wait_ended(ids)

    # Then
    states = [event.new for _, event in store.runs.events(run.id)]
    assert states == [State.QUEUED, State.CLAIMED, State.SUBMITTING, State.RUNNING, State.SUCCEEDED]
    assert run.exit_code == 0
    assert [line for entry in store.logs.read(run.id) for line in entry.lines] == ["epoch 1", "accuracy 0.97"]


def test_celery_result_is_there_when_the_run_has_ended(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    app = create_app(settings)

    # When
    (run_id,) = runs.enqueue(queue, seconds=0.5)
    result = app.AsyncResult(run_id)

    # Then
    assert result.get(timeout=30) == {"run": run_id, "state": "succeeded", "exit_code": 0}
    assert result.state == "SUCCESS"


def test_a_job_that_fails_ends_as_failed_with_its_exit_code(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    ids = runs.enqueue(queue, exit_code=3)
    (run,) = runs.wait_ended(ids)

    # Then
    assert (run.state, run.exit_code, run.failure) == (State.FAILED, 3, "user")
    assert create_app(settings).AsyncResult(run.id).state == "FAILURE"


def test_a_config_that_the_target_refuses_fails_the_run_and_names_the_field(
    queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    ids = runs.enqueue(queue, secnds=1)
    (run,) = runs.wait_ended(ids)

    # Then
    assert run.state is State.FAILED
    assert "unknown field 'secnds'; did you mean 'seconds'?" in run.text
