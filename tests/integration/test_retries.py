"""Failed attempts are followed by others, as the queue's policy says, and by nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker_config.celery_app import create_app
from broker_config.queues import Queue, QueueRecord
from broker_config.retries import RetryPolicy
from broker_config.runs import Run, RunId
from broker_config.settings import Settings
from broker_config.states import Hold, Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.protocol import Request
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]
POLICY = RetryPolicy(user=2, infra=2, preempted=5, backoff_seconds=0.2)


@pytest.fixture
def queue(store: Store) -> QueueRecord:
    """A prioritized queue that tries again soon."""
    return store.queues.create(Queue(name="gpu-queue", resource="stub", prioritization=True, retries=POLICY))


def reasons(store: Store, run_id: RunId) -> list[Reason]:
    return [event.reason for _, event in store.runs.events(run_id)]


def log_of(store: Store, run_id: RunId) -> list[str]:
    return [line for entry in store.logs.read(run_id) for line in entry.lines]


def test_a_run_that_the_platform_lost_twice_succeeds_with_its_third_attempt(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    ids = runs.enqueue(queue, fail_attempts=2, failure="infra", lines=["working"])
    (run,) = runs.wait_ended(ids)

    # Then
    assert (run.state, run.attempt, run.retries_infra) == (State.SUCCEEDED, 3, 2)
    assert stub.submissions() == [f"launchyard-{run.id}-{attempt}" for attempt in (1, 2, 3)]
    assert reasons(store, run.id).count(Reason.RETRYING) == 2
    assert log_of(store, run.id) == ["working", "--- attempt 2 ---", "working", "--- attempt 3 ---", "working"]
    # And no attempt's object is left at the target
    eventually(lambda: stub.observe(stub.submissions()) == {}, "all objects are released")


def test_a_run_fails_when_the_budget_of_the_class_is_used_up(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, exit_code=3))

    # Then
    assert (run.state, run.reason, run.exit_code) == (State.FAILED, Reason.EXITED, 3)
    assert (run.attempt, run.retries_user, run.retries_infra) == (3, 2, 0)


def test_a_preempted_run_goes_back_to_the_place_that_its_age_gives_it(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given an agent with one place, a run that is preempted, and others that wait behind it
    agent("gpu-queue", max_jobs=1).start()
    (first,) = runs.enqueue(queue, fail_attempts=1, failure="preempted")
    others = runs.enqueue(queue, 3, seconds=1.5)

    # When
    ended = runs.wait_ended([first, *others])

    # Then it came before the last ones, though they were enqueued before it was preempted
    assert all(run.state is State.SUCCEEDED for run in ended)
    order = stub.submissions()
    assert order.index(f"launchyard-{first}-2") < order.index(f"launchyard-{others[1]}-1")
    assert Reason.PREEMPTED in reasons(store, first)


def test_a_preempted_run_ends_where_requeue_is_switched_off(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    queue = store.queues.edit(queue.queue.model_copy(update={"retries": RetryPolicy(preempted=0)}))
    agent("gpu-queue").start()

    # When
    (run,) = runs.wait_ended(runs.enqueue(queue, fail_attempts=1, failure="preempted"))

    # Then
    assert (run.state, run.failure, run.attempt) == (State.PREEMPTED, "preempted", 1)


def test_a_run_between_two_attempts_is_pending_and_comes_when_its_backoff_is_over(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    queue = store.queues.edit(queue.queue.model_copy(update={"retries": RetryPolicy(backoff_seconds=3)}))
    process = agent("gpu-queue").start()

    # When
    ids = runs.enqueue(queue, fail_attempts=1, failure="infra")
    eventually(lambda: store.runs.get(ids[0]).hold is Hold.TIME, "the run waits for its next attempt")
    waiting = store.runs.get(ids[0])

    # Then everything says that it waits
    assert (waiting.state, waiting.reason, waiting.attempt, waiting.agent) == (State.QUEUED, Reason.RETRYING, 2, "")
    assert create_app(settings).AsyncResult(ids[0]).state == "PENDING"
    assert "Attempt 2 follows in 3 s, retry 1 of 2." in waiting.text
    # And the next attempt comes soon after its time, also from another session
    process.kill()
    process.start()
    (run,) = runs.wait_ended(ids)
    assert run.state is State.SUCCEEDED
    claimed = [event.at for _, event in store.runs.events(run.id) if event.reason is Reason.CLAIMED]
    assert waiting.not_before is not None
    assert claimed[1] >= waiting.not_before


def test_a_run_that_was_cancelled_is_not_tried_again(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given a run that waits for its next attempt
    queue = store.queues.edit(queue.queue.model_copy(update={"retries": RetryPolicy(backoff_seconds=1)}))
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, fail_attempts=1, failure="infra")
    eventually(lambda: store.runs.get(ids[0]).hold is Hold.TIME, "the run waits for its next attempt")

    # When
    store.runs.request_cancel(store.runs.get(ids[0]), "alice")
    runs.wait_ended(runs.enqueue(queue, seconds=2))

    # Then
    assert store.runs.get(ids[0]).state is State.CANCELLED
    assert f"launchyard-{ids[0]}-2" not in stub.submissions()
    assert store.alarms.due() == {}


def test_a_retried_run_is_held_by_no_agent_twice_while_two_agents_look_after_it(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    for number in range(2):
        agent("gpu-queue", name=f"agent{number}@test").start()

    # When
    ids = runs.enqueue(queue, 30, fail_attempts=1, failure="infra")
    ended = runs.wait_ended(ids)

    # Then each attempt was submitted once, and each run became due once
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len(stub.submissions()) == len(set(stub.submissions())) == 60
    assert {reasons(store, run_id).count(Reason.DUE) for run_id in ids} == {1}


def claimed_by_the_dead(store: Store, run_id: RunId, name: str) -> Run:
    """A claim of an agent that died before it did anything."""
    session = f"elsewhere/boot 1 1.0 {name}"
    store.agents.take(name, session, 0.2)
    _, run = store.runs.claim(store.runs.get(run_id).spec, name, store.agents.new_fence(), session)
    assert run is not None
    return run


def note_crashes(store: Store, run: Run) -> Run:
    """The record as three agents that died before have left it."""
    fields = {"crashes": 3, "crash_evidence": "earlier ones"}
    return store.runs.change(run, Change(run.state, run.reason, run.text, "test", fields))


def test_a_run_that_keeps_killing_its_agent_is_put_into_quarantine_with_the_evidence(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given an agent, and the names of four that died
    (run_id,) = runs.enqueue(queue)
    names = [f"dead{number}@test" for number in range(4)]
    claimed_by_the_dead(store, run_id, names[0])
    process = agent("gpu-queue", max_jobs=0).start()
    info = next(info for info, _ in store.agents.list() if info.name == process.name)
    for name in names:
        store.agents.announce(info.model_copy(update={"name": name, "site": "elsewhere"}))

    # When each of them dies with the run
    for crashes, name in enumerate(names, start=1):
        if crashes > 1:
            claimed_by_the_dead(store, run_id, name)
        eventually(lambda crashes=crashes: store.runs.get(run_id).crashes == crashes, "the crash is counted")  # type: ignore[misc]

    # Then
    run = store.runs.get(run_id)
    assert (run.state, run.reason, run.failure) == (State.FAILED, Reason.QUARANTINED, "infra")
    assert "4 agents died while they prepared or submitted the run" in run.text
    assert all(f"claimed by {name} since" in run.text for name in names)
    assert stub.submissions() == []


def test_an_agent_that_comes_back_to_the_run_that_ended_it_again_and_again_gives_it_up(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given a run that an agent of this name had claimed when it died, for the fourth time
    (run_id,) = runs.enqueue(queue)
    claimed = claimed_by_the_dead(store, run_id, "agent@test")
    note_crashes(store, claimed)

    # When
    agent("gpu-queue").start()
    (run,) = runs.wait_ended([run_id])

    # Then
    assert (run.state, run.reason, run.failure) == (State.FAILED, Reason.QUARANTINED, "infra")
    assert run.text.startswith("4 agents died while they prepared or submitted the run: earlier ones; claimed by agent")
    assert stub.submissions() == []


def test_the_object_of_a_run_in_quarantine_is_ended_before_the_run_is_marked(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given an agent that died for the fourth time when it had just submitted the run
    (run_id,) = runs.enqueue(queue, seconds=600)
    claimed = note_crashes(store, claimed_by_the_dead(store, run_id, "agent@test"))
    body = {"seconds": 600.0, "exit_code": 0, "lines": [], "ignores_cancel": False}
    stub.submit(Request(claimed.object_name, body))
    fields = {"submission": claimed.object_name, "image": "stub"}
    store.runs.change(claimed, Change(State.SUBMITTING, Reason.SUBMITTING, "It submits.", "agent@test", fields))

    # When
    agent("gpu-queue").start()
    (run,) = runs.wait_ended([run_id])

    # Then
    assert (run.state, run.reason) == (State.FAILED, Reason.QUARANTINED)
    assert stub.submissions() == [claimed.object_name]
    eventually(lambda: stub.observe([claimed.object_name]) == {}, "the object is released")
