"""Changes of a run's record: compare-and-set, with the event, the indexes and Celery's result in the same step."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config import messages
from broker_config.errors import NotFound, StaleWrite
from broker_config.priorities import Priority
from broker_config.runs import Run, now
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from tests.broker_config.conftest import Hand


def running(run: Run, fence: int | None = None, **fields: Any) -> Change:
    return Change(State.RUNNING, Reason.RUNNING, "It runs.", "agent@hand", fields, fence)


def test_a_change_is_written_with_its_event(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.CLAIMED)

    # When
    changed = store.runs.change(run, running(run, hand.fence, submission="launchyard-x-1", started_at=now()))

    # Then
    assert changed == store.runs.get(run.id)
    assert (changed.state, changed.version, changed.text) == (State.RUNNING, run.version + 1, "It runs.")
    assert changed.since > run.since
    event = store.runs.events(run.id)[-1][1]
    assert (event.old, event.new, event.actor, event.text) == ("claimed", "running", "agent@hand", "It runs.")


def test_a_note_leaves_the_state_and_its_time(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.SUBMITTING)

    # When
    noted = store.runs.change(run, Change(run.state, Reason.TARGET_UNAVAILABLE, "No answer.", hand.name))

    # Then
    assert (noted.state, noted.since, noted.reason) == (run.state, run.since, Reason.TARGET_UNAVAILABLE)
    assert store.queues.counts("gpu-queue")[State.SUBMITTING] == 1


def test_a_change_of_a_record_that_changed_since_is_refused(store: Store, hand: Hand) -> None:
    # Given
    read = hand.run_in(State.CLAIMED)
    newer = hand.move(read, State.BUILDING, Reason.BUILDING)

    # Then
    with pytest.raises(StaleWrite, match=f"run {read.id} changed since version 2 was read"):
        store.runs.change(read, running(read))
    assert store.runs.get(read.id) == newer
    assert len(store.runs.events(read.id)) == 3


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_change_with_another_fence_is_refused(store: Store, hand: Hand, difference: int) -> None:
    # Given
    run = hand.run_in(State.CLAIMED)

    # Then
    with pytest.raises(StaleWrite):
        store.runs.change(run, running(run, hand.fence + difference))
    assert store.runs.get(run.id) == run


def test_an_agent_that_gave_a_run_back_may_not_write_to_it_any_more(store: Store, hand: Hand) -> None:
    # Given
    queued = hand.requeue(hand.run_in(State.CLAIMED))

    # Then
    with pytest.raises(StaleWrite):
        store.runs.change_until_written(queued, lambda run: running(run, hand.fence))
    assert store.runs.get(queued.id) == queued


def test_a_transition_that_does_not_exist_is_a_fault_of_the_caller(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)

    # Then
    with pytest.raises(ValueError, match="cannot go from running to building"):
        hand.move(run, State.BUILDING)


@pytest.mark.parametrize("new", list(State))
def test_an_ended_run_stays_as_it_is(store: Store, hand: Hand, new: State) -> None:
    # Given
    ended = hand.move(hand.run_in(State.RUNNING), State.FAILED, exit_code=3, failure=FailureClass.USER)

    # Then
    with pytest.raises(ValueError, match="cannot go from failed"):
        hand.move(ended, new, exit_code=0)
    assert store.runs.get(ended.id) == ended


def test_an_end_that_was_decided_on_an_older_record_is_refused(store: Store, hand: Hand) -> None:
    # Given
    read = hand.run_in(State.RUNNING)
    ended = hand.move(read, State.SUCCEEDED, exit_code=0)

    # Then
    with pytest.raises(StaleWrite):
        hand.move(read, State.FAILED, exit_code=1)
    assert store.runs.get(read.id) == ended


def test_an_ended_run_is_nobodys_and_has_an_end(store: Store, hand: Hand) -> None:
    # When
    run = hand.move(hand.run_in(State.RUNNING), State.FAILED, exit_code=3, failure=FailureClass.USER)

    # Then
    assert run == store.runs.get(run.id)
    assert (run.exit_code, run.failure, run.agent) == (3, FailureClass.USER, hand.name)
    assert run.ended_at == run.since
    assert store.runs.held_by(hand.name) == []


def test_a_requeued_run_is_first_again_and_keeps_its_place(store: Store, hand: Hand, client: Any) -> None:
    # Given
    run, *others = hand.enqueue(4, Priority.HIGH)
    client.rpop("gpu-queue:1")
    held = hand.move(hand.claim(run), State.RUNNING)

    # When
    requeued = hand.requeue(held)

    # Then
    assert requeued == store.runs.get(run.id)
    assert (requeued.state, requeued.attempt, requeued.agent, requeued.place) == (State.QUEUED, 2, "", run.place)
    ids = [run.id, *(other.id for other in others)]
    assert store.runs.waiting("gpu-queue", 10) == ids
    assert [messages.run_id(text) for text in reversed(client.lrange("gpu-queue:1", 0, -1))] == ids
    assert store.runs.held_by(hand.name) == []
    assert store.runs.events(run.id)[-1][1].attempt == 2
    assert store.runs.overtaken("gpu-queue") == []


def test_decide_is_asked_again_with_the_newer_record(store: Store, hand: Hand) -> None:
    # Given somebody who always writes in between, twice
    read = hand.run_in(State.CLAIMED)
    asked: list[int] = []

    def decide(run: Run) -> Change:
        asked.append(run.version)
        if len(asked) < 3:
            store.runs.change(run, Change(run.state, Reason.CLAIMED, f"Note {len(asked)}.", "bob"))
        return running(run, hand.fence)

    # When
    written = store.runs.change_until_written(read, decide)

    # Then
    assert asked == [2, 3, 4]
    assert (written.state, written.version) == (State.RUNNING, 5)


def test_nothing_is_written_when_there_is_nothing_left_to_do(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.CLAIMED)

    # Then
    assert store.runs.change_until_written(run, lambda run: None) is run
    assert store.runs.get(run.id) == run


def test_a_record_that_never_stands_still_is_given_up(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.CLAIMED)

    def decide(run: Run) -> Change:
        store.runs.change(run, Change(run.state, Reason.CLAIMED, "Note.", "bob"))
        return running(run)

    # Then
    with pytest.raises(StaleWrite, match="kept changing"):
        store.runs.change_until_written(run, decide)


def test_a_change_of_a_record_that_expired_says_so(store: Store, hand: Hand, client: Any) -> None:
    # Given
    run = hand.run_in(State.CLAIMED)
    client.delete(f"launchyard:run:{run.id}")

    # Then
    with pytest.raises(NotFound, match="or ended longer ago than records are kept"):
        store.runs.change_until_written(run, running)


def test_two_writers_of_one_version_are_one_too_many(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)

    # When
    hand.move(run, State.SUCCEEDED)

    # Then
    with pytest.raises(StaleWrite):
        hand.requeue(run)
    assert store.runs.waiting("gpu-queue", 10) == []
