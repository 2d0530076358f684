"""Runs that are held: until a time, or until others have succeeded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from broker_config.errors import InvalidRequest
from broker_config.queues import QueueRecord
from broker_config.runs import RunId, new_run_id, now
from broker_config.states import Hold, Reason, State
from broker_config.store import Store
from broker_config.store.claims import Claimed
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]


def in_seconds(seconds: float) -> dict[str, object]:
    return {"not_before": now() + timedelta(seconds=seconds)}


def claim_delay(store: Store, run_id: RunId) -> float:
    """Seconds from a run's time to its claim."""
    claimed = next(event.at for _, event in store.runs.events(run_id) if event.reason is Reason.CLAIMED)
    not_before = store.runs.get(run_id).spec.not_before
    assert not_before is not None
    return (claimed - not_before).total_seconds()


def test_an_idle_agent_takes_a_delayed_run_when_its_time_has_come(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    ids = runs.enqueue(queue, fields=in_seconds(2))
    held = store.runs.get(ids[0])
    runs.wait_ended(ids)

    # Then
    assert (held.state, held.reason, held.hold) == (State.QUEUED, Reason.NOT_BEFORE, Hold.TIME)
    assert 0 <= claim_delay(store, ids[0]) < 1.5


def test_a_delayed_run_is_not_taken_for_lost_and_cannot_be_claimed_early(
    store: Store, queue: QueueRecord, runs: Runs
) -> None:
    # Given a delayed run, and one behind it that can go
    (delayed,) = runs.enqueue(queue, fields=in_seconds(600))
    runs.enqueue(queue)
    store.agents.take("agent@hand", "session", 60)

    # When
    outcome, _ = store.runs.claim(store.runs.get(delayed).spec, "agent@hand", 1, "session")

    # Then
    assert outcome is Claimed.HELD
    assert store.runs.overtaken("gpu-queue") == []


def test_a_run_that_waited_for_its_time_stands_where_its_age_puts_it(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given an agent that is busy, and a delayed run that is older than one and younger than another that waits
    agent("gpu-queue", max_jobs=1).start()
    (busy,) = runs.enqueue(queue, seconds=4)
    runs.wait([busy], State.RUNNING)
    (older,) = runs.enqueue(queue)
    (delayed,) = runs.enqueue(queue, fields=in_seconds(0.5))
    (younger,) = runs.enqueue(queue)

    # When
    runs.wait_ended([busy, older, delayed, younger])

    # Then
    assert stub.submissions() == [f"launchyard-{run_id}-1" for run_id in (busy, older, delayed, younger)]
    assert Reason.DUE in [event.reason for _, event in store.runs.events(delayed)]


def test_a_run_starts_when_all_that_it_waits_for_have_succeeded(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    first = runs.enqueue(queue, seconds=2) + runs.enqueue(queue, seconds=1)

    # When
    (last,) = runs.enqueue(queue, fields={"after": tuple(first)})
    held = store.runs.get(last)
    runs.wait_ended([last])

    # Then
    assert (held.state, held.reason, held.hold) == (State.QUEUED, Reason.AFTER, Hold.RUNS)
    claimed = next(event.at for _, event in store.runs.events(last) if event.reason is Reason.CLAIMED)
    ends = [run.ended_at for run in store.runs.get_many(first)]
    latest = max(end for end in ends if end)
    assert 0 <= (claimed - latest).total_seconds() < 1.5
    assert store.runs.get(last).state is State.SUCCEEDED


def test_a_run_whose_dependencies_ended_before_it_was_there_is_not_forgotten(
    queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    first = runs.enqueue(queue)
    runs.wait_ended(first)

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, fields={"after": tuple(first)}))

    # Then
    assert run.state is State.SUCCEEDED


def test_a_failed_dependency_fails_all_that_wait_for_it_one_after_another(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agent("gpu-queue").start()
    (first,) = runs.enqueue(queue, seconds=1, exit_code=3)
    (second,) = runs.enqueue(queue, fields={"after": (first,)})
    (third,) = runs.enqueue(queue, fields={"after": (second,)})

    # When
    ended = runs.wait_ended([second, third])

    # Then
    assert [(run.state, run.reason) for run in ended] == [(State.FAILED, Reason.DEPENDENCY_FAILED)] * 2
    assert f"Run {first}, which has to succeed before, did not (failed: " in ended[0].text
    assert f"Run {second}, " in ended[1].text
    assert stub.submissions() == [f"launchyard-{first}-1"]


def test_a_cancelled_dependency_fails_the_run_that_waits(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    (first,) = runs.enqueue(queue, fields=in_seconds(600))
    waiting = runs.enqueue(queue, fields={"after": (first,)})

    # When
    store.runs.request_cancel(store.runs.get(first), "alice")
    (run,) = runs.wait_ended(waiting)

    # Then
    assert run.reason is Reason.DEPENDENCY_FAILED
    assert "cancelled" in run.text


def test_held_runs_survive_that_every_agent_dies(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    process = agent("gpu-queue").start()
    first = runs.enqueue(queue, seconds=2)
    waiting = runs.enqueue(queue, fields={"after": tuple(first)})
    runs.wait(first, State.RUNNING)

    # When
    process.kill()
    process.start()

    # Then
    (run,) = runs.wait_ended(waiting)
    assert run.state is State.SUCCEEDED


def test_unknown_runs_are_refused_at_the_enqueue_and_nothing_is_written(
    store: Store, queue: QueueRecord, runs: Runs
) -> None:
    # Given
    unknown = new_run_id()

    # When
    with pytest.raises(InvalidRequest, match=f"after: no run has the id '{unknown}'"):
        runs.enqueue(queue, fields={"after": (unknown,)})

    # Then
    assert list(store.runs.newest()) == []
    eventually(lambda: store.alarms.due() == {}, "no alarm is left")
