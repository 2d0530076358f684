"""The wish to cancel, in every state and at every moment."""

from __future__ import annotations

import threading

import pytest

from broker_config.states import Reason, State
from broker_config.store import Store
from broker_config.store.claims import Claimed
from tests.broker_config.conftest import Hand

LIVE = [state for state in State if state.is_live]
ENDS = [state for state in State if state.is_terminal]


def test_a_queued_run_is_cancelled_at_once(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.QUEUED)

    # When
    cancelled = store.runs.request_cancel(run, "bob")

    # Then
    assert cancelled == store.runs.get(run.id)
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, Reason.CANCELLED_BY_USER)
    assert (cancelled.failure, cancelled.cancel_requested_by) == ("cancelled", "bob")
    assert store.runs.waiting("gpu-queue", 10) == []


@pytest.mark.parametrize("state", LIVE)
def test_a_live_run_gets_a_wish_that_wakes_its_agent(store: Store, hand: Hand, state: State) -> None:
    # Given
    run = hand.run_in(state)
    position = store.runs.wishes_position()

    # When
    wished = store.runs.request_cancel(run, "bob")

    # Then
    assert wished == store.runs.get(run.id)
    assert (wished.state, wished.reason, wished.cancel_requested_by) == (state, Reason.CANCEL_REQUESTED, "bob")
    assert store.runs.wishes(position, 1)[1] == [run.id]


@pytest.mark.parametrize("state", ENDS)
def test_an_ended_run_stays_as_it_is(store: Store, hand: Hand, state: State) -> None:
    # Given
    ended = hand.move(hand.run_in(State.RUNNING), state)

    # Then
    assert store.runs.request_cancel(ended, "bob") == ended
    assert store.runs.get(ended.id) == ended


def test_a_second_wish_changes_nothing(store: Store, hand: Hand) -> None:
    # Given
    wished = store.runs.request_cancel(hand.run_in(State.RUNNING), "bob")

    # Then
    assert store.runs.request_cancel(wished, "carol") == wished


def test_a_wish_from_an_old_reading_meets_the_run_where_it_is(store: Store, hand: Hand) -> None:
    # Given
    read = hand.run_in(State.QUEUED)
    running = hand.move(hand.claim(read), State.RUNNING)

    # When
    wished = store.runs.request_cancel(read, "bob")

    # Then
    assert (wished.state, wished.version) == (State.RUNNING, running.version + 1)


def test_a_wish_and_a_claim_at_once_leave_no_run_without_either(store: Store, hand: Hand) -> None:
    # Given
    runs = hand.enqueue(60)
    outcomes: list[Claimed] = []
    start = threading.Barrier(2)

    def claim() -> None:
        start.wait(10)
        outcomes.extend(store.runs.claim(run.spec, hand.name, hand.fence, hand.session)[0] for run in runs)

    def cancel() -> None:
        start.wait(10)
        for run in reversed(runs):
            store.runs.request_cancel(run, "bob")

    # When
    threads = [threading.Thread(target=claim), threading.Thread(target=cancel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    # Then each was either claimed, and wished for, or cancelled and never claimed
    for run, outcome in zip(store.runs.get_many([run.id for run in runs]), outcomes, strict=True):
        assert run.cancel_requested_by == "bob"
        assert run.state is (State.CLAIMED if outcome is Claimed.CLAIMED else State.CANCELLED)
    counts = store.queues.counts("gpu-queue")
    assert counts[State.CLAIMED] + counts[State.CANCELLED] == 60
    assert counts[State.QUEUED] == 0
