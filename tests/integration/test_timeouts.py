"""Limits on how long a run may wait, be built, start and run."""

from __future__ import annotations

from collections.abc import Callable

from broker_config.queues import QueueRecord
from broker_config.retries import RetryPolicy
from broker_config.runs import RunId
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from broker_config.timeouts import Timeouts
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]


def limited(store: Store, queue: QueueRecord, timeouts: Timeouts, **retries: float) -> QueueRecord:
    changes = {"timeouts": timeouts, "retries": RetryPolicy.model_validate(retries)}
    return store.queues.edit(queue.queue.model_copy(update=changes))


def first_time(store: Store, run_id: RunId, reason: Reason) -> float:
    return next(event.at.timestamp() for _, event in store.runs.events(run_id) if event.reason is reason)


def test_a_run_that_waits_too_long_for_an_agent_of_its_queue_fails(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given an agent of another queue only
    agent("other-queue").start()
    queue = limited(store, queue, Timeouts(queued=1))

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue))

    # Then
    assert (run.state, run.failure, run.reason) == (State.FAILED, FailureClass.TIMEOUT, Reason.QUEUE_TIMEOUT)
    assert "waited for an agent longer than its queue timeout of 1 s" in run.text
    # And its order, which is still there, comes to nothing
    agent("gpu-queue", name="late@test").start()
    runs.wait_ended(runs.enqueue(queue))
    assert len(stub.submissions()) == 1


def test_a_run_that_was_taken_in_time_has_no_queue_timeout_any_more(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    queue = limited(store, queue, Timeouts(queued=2))

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, seconds=4))

    # Then
    assert run.state is State.SUCCEEDED
    assert store.alarms.due() == {}


def test_a_run_that_runs_too_long_is_ended_at_its_target_and_then_marked(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agent("gpu-queue").start()
    queue = limited(store, queue, Timeouts(run=1))

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, seconds=600))

    # Then the target was asked first, and the end is told when the job is gone
    assert (run.state, run.failure, run.reason) == (State.FAILED, FailureClass.TIMEOUT, Reason.RUN_TIMEOUT)
    told = [event.new for _, event in store.runs.events(run.id) if event.reason is Reason.RUN_TIMEOUT]
    assert told == [State.RUNNING, State.FAILED]
    eventually(lambda: stub.observe([run.submission]) == {}, "the object is released")


def test_a_run_that_does_not_start_in_time_is_ended_at_its_target(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    queue = limited(store, queue, Timeouts(start=1, run=600))

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, starting_seconds=600))

    # Then
    assert (run.state, run.failure, run.reason) == (State.FAILED, FailureClass.TIMEOUT, Reason.START_TIMEOUT)
    assert run.started_at is None


def test_the_agents_start_timeout_holds_where_the_queue_has_none(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, settings: Settings
) -> None:
    # Given
    (settings.home / "launch-config.yaml").write_text("start_timeout: 1\n")
    agent("gpu-queue").start()
    # When one run has the agent's limit, and the other its queue's own
    (hasty,) = runs.enqueue(queue, starting_seconds=600)
    patient = limited(store, queue, Timeouts(start=60))
    (waiting,) = runs.enqueue(patient, starting_seconds=3)

    # Then
    first, second = runs.wait_ended([hasty, waiting])
    assert (first.failure, first.reason) == (FailureClass.TIMEOUT, Reason.START_TIMEOUT)
    assert first.text.startswith(
        "The run did not run within its start timeout; see start_timeout in its agent's config."
    )
    assert second.state is State.SUCCEEDED


def test_the_run_timeout_counts_from_the_start_of_the_job(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    queue = limited(store, queue, Timeouts(run=3))

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, starting_seconds=2, seconds=1.5))

    # Then
    assert run.state is State.SUCCEEDED


def test_an_adopted_run_keeps_its_clock(store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker) -> None:
    # Given a run whose agent dies
    process = agent("gpu-queue").start()
    queue = limited(store, queue, Timeouts(run=4))
    ids = runs.enqueue(queue, seconds=600)
    (running,) = runs.wait(ids, State.RUNNING)
    process.kill()

    # When
    process.start()
    (run,) = runs.wait_ended(ids)

    # Then
    assert run.reason is Reason.RUN_TIMEOUT
    assert running.started_at is not None
    assert 4 <= first_time(store, run.id, Reason.RUN_TIMEOUT) - running.started_at.timestamp() < 12


def test_a_run_that_timed_out_is_tried_again_within_its_own_budget(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agent("gpu-queue").start()
    queue = limited(store, queue, Timeouts(run=1), timeout=1, backoff_seconds=0)

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, seconds=600))

    # Then
    assert (run.state, run.reason, run.attempt, run.retries_timeout) == (State.FAILED, Reason.RUN_TIMEOUT, 2, 1)
    assert len(stub.submissions()) == 2
