"""Claims: a queued run goes to one agent session."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from broker_config.errors import StaleWrite
from broker_config.queues import QueueRecord
from broker_config.runs import RunId
from broker_config.states import Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from broker_config.store.claims import Claimed
from tests.broker_config.conftest import Hand, launch_of, spec_of


def test_a_claimed_run_names_its_agent_and_fence_and_waits_no_more(store: Store, hand: Hand) -> None:
    # Given
    (run,) = hand.enqueue()

    # When
    outcome, claimed = store.runs.claim(run.spec, hand.name, hand.fence, hand.session)

    # Then
    assert outcome is Claimed.CLAIMED
    assert claimed == store.runs.get(run.id)
    assert (claimed.state, claimed.agent, claimed.fence, claimed.version) == ("claimed", hand.name, hand.fence, 2)
    assert store.runs.waiting("gpu-queue", 10) == []
    assert store.runs.held_by(hand.name) == [claimed]
    counts = store.queues.counts("gpu-queue")
    assert (counts[State.QUEUED], counts[State.CLAIMED]) == (0, 1)
    event = store.runs.events(run.id)[-1][1]
    assert (event.old, event.new, event.actor, event.reason) == ("queued", "claimed", hand.name, "claimed")


def test_a_run_that_is_claimed_or_has_ended_is_not_to_be_had(store: Store, hand: Hand) -> None:
    # Given
    held, ended = hand.run_in(State.CLAIMED), hand.move(hand.run_in(State.RUNNING), State.SUCCEEDED)

    # Then the record tells who has it
    for run in (held, ended):
        outcome, found = store.runs.claim(run.spec, "other@host", 99, "other")
        assert outcome is Claimed.NOT_QUEUED
        assert found == store.runs.get(run.id)
        assert found.agent == hand.name


def test_a_run_without_a_record_is_unknown(store: Store, hand: Hand, queue: QueueRecord) -> None:
    # Given a message that somebody made up
    spec = spec_of(queue, launch_of(queue), RunId("nobodysrun22"))

    # Then
    assert store.runs.claim(spec, hand.name, hand.fence, hand.session) == (Claimed.UNKNOWN, None)
    assert store.runs.get_many([spec.id]) == []


def test_a_run_of_a_paused_queue_stays_queued(store: Store, hand: Hand) -> None:
    # Given
    (run,) = hand.enqueue()
    store.queues.set_paused("gpu-queue", True)

    # Then
    assert store.runs.claim(run.spec, hand.name, hand.fence, hand.session) == (Claimed.PAUSED, None)
    assert store.runs.get(run.id) == run
    store.queues.set_paused("gpu-queue", False)
    assert hand.claim(run).state is State.CLAIMED


def test_a_session_whose_lease_is_gone_gets_nothing(store: Store, hand: Hand) -> None:
    # Given
    (run,) = hand.enqueue()

    # Then
    assert store.runs.claim(run.spec, hand.name, hand.fence, "older session") == (Claimed.LEASE_LOST, None)
    store.agents.release(hand.name, hand.session)
    assert store.runs.claim(run.spec, hand.name, hand.fence, hand.session) == (Claimed.LEASE_LOST, None)
    assert store.runs.get(run.id) == run


def test_of_many_agents_at_once_one_gets_the_run(store: Store, hand: Hand) -> None:
    # Given
    runs = hand.enqueue(20)
    agents = [f"agent@{number}" for number in range(8)]
    for number, name in enumerate(agents):
        store.agents.take(name, f"session {number}", 60)
    won: list[tuple[str, str]] = []
    start = threading.Barrier(len(agents))

    def compete(number: int) -> None:
        start.wait(10)
        for run in runs:
            outcome, _ = store.runs.claim(run.spec, agents[number], number + 1, f"session {number}")
            if outcome is Claimed.CLAIMED:
                won.append((run.id, agents[number]))

    # When
    threads = [threading.Thread(target=compete, args=(number,)) for number in range(len(agents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    # Then
    assert sorted(run_id for run_id, _ in won) == sorted(run.id for run in runs)
    assert all(store.runs.get(run_id).agent == name for run_id, name in won)
    assert store.queues.counts("gpu-queue")[State.CLAIMED] == 20


def test_the_claim_of_a_run_that_was_requeued_has_the_new_fence(store: Store, hand: Hand) -> None:
    # Given
    requeued = hand.requeue(hand.run_in(State.RUNNING))
    store.agents.take("other@host", "other", 60)

    # When
    _, claimed = store.runs.claim(requeued.spec, "other@host", hand.fence + 1, "other")

    # Then
    assert claimed is not None
    assert (claimed.agent, claimed.attempt, claimed.fence) == ("other@host", 2, hand.fence + 1)
    old = Change(State.RUNNING, Reason.RUNNING, "Old.", hand.name, fence=hand.fence)
    with pytest.raises(StaleWrite):
        store.runs.change(claimed, old)


def test_a_record_that_holds_the_spec_of_another_run_cannot_be_claimed(store: Store, hand: Hand, client: Any) -> None:
    # Given
    run, other = hand.enqueue(2)
    client.set(f"launchyard:run:{run.id}:spec", other.spec.model_dump_json())

    # Then
    assert store.runs.claim(run.spec, hand.name, hand.fence, hand.session) == (Claimed.UNKNOWN, None)
    assert store.runs.get(other.id) == other
