"""Which run starts next, and how many at once."""

from __future__ import annotations

from collections.abc import Callable

from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import RunId
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs

AgentMaker = Callable[..., AgentProcess]


def claimed_at(store: Store, run_id: RunId) -> float:
    return next(event.at.timestamp() for _, event in store.runs.events(run_id) if event.new is State.CLAIMED)


def test_a_late_critical_run_starts_before_every_waiting_low_one(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given an agent that is full with one run, and low runs that wait
    agent("gpu-queue", max_jobs=1).start()
    (first,) = runs.enqueue(queue, priority=Priority.LOW, seconds=2)
    runs.wait([first], State.RUNNING)
    low = runs.enqueue(queue, 10, priority=Priority.LOW)

    # When
    (critical,) = runs.enqueue(queue, priority=Priority.CRITICAL)
    runs.wait_ended([first, critical, *low])

    # Then
    assert all(claimed_at(store, critical) < claimed_at(store, run_id) for run_id in low)


def test_runs_of_one_priority_start_in_the_order_of_their_enqueue(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    ids = [run_id for _ in range(5) for run_id in runs.enqueue(queue, 8)]

    # When
    agent("gpu-queue", max_jobs=1).start()
    runs.wait_ended(ids)

    # Then
    assert sorted(ids, key=lambda run_id: claimed_at(store, run_id)) == ids


def test_queues_of_one_agent_take_turns(store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker) -> None:
    # Given
    other = store.queues.create(Queue(name="other", resource="stub", prioritization=True))
    busy, late = runs.enqueue(queue, 30), runs.enqueue(other, 5)

    # When
    agent("gpu-queue", "other", max_jobs=1).start()
    runs.wait_ended([*busy, *late])

    # Then
    order = sorted([*busy, *late], key=lambda run_id: claimed_at(store, run_id))
    assert set(late) < set(order[:12])


def test_max_jobs_is_never_exceeded_whatever_the_number_of_threads(
    queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue", max_jobs=3).start("--concurrency", "8")

    # When
    ids = runs.enqueue(queue, 12, seconds=0.3)
    runs.wait_ended(ids)

    # Then
    assert runs.most_at_once(ids) == 3


def test_max_jobs_counts_the_runs_that_a_restarted_agent_takes_up(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given an agent that was killed with three runs
    process = agent("gpu-queue", max_jobs=3).start()
    ids = runs.enqueue(queue, 3, seconds=8)
    runs.wait(ids, State.RUNNING)
    process.kill()
    more = runs.enqueue(queue, 5, seconds=0.2)

    # When
    process.start()
    runs.wait_ended([*ids, *more])

    # Then
    assert runs.most_at_once([*ids, *more]) == 3
    assert store.queues.counts("gpu-queue")[State.SUCCEEDED] == 8


def test_without_a_limit_all_runs_are_held_at_once(queue: QueueRecord, runs: Runs, agent: AgentMaker) -> None:
    # Given
    agent("gpu-queue", max_jobs=-1).start("--concurrency", "2")

    # When
    ids = runs.enqueue(queue, 40, seconds=4)

    # Then
    eventually(lambda: runs.most_at_once(ids) == 40, "all runs are held")


def test_a_paused_queue_keeps_its_runs_until_it_is_resumed(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    store.queues.set_paused("gpu-queue", True, "maintenance")
    ids = runs.enqueue(queue, 5)
    other = store.queues.create(Queue(name="other", resource="stub"))
    agent("gpu-queue", "other", name="second@test").start()
    runs.wait_ended(runs.enqueue(other, 3))

    # When
    paused = [run.state for run in store.runs.get_many(ids)]
    store.queues.set_paused("gpu-queue", False)
    runs.wait_ended(ids)

    # Then
    assert paused == [State.QUEUED] * 5
