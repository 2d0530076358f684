"""Limits of queues: how many runs wait, and how many are live."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.errors import Conflict, QueueFull
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Run, new_run_id
from broker_config.states import Hold, Reason, State
from broker_config.store import Store
from broker_config.store.claims import Claimed
from tests.broker_config.conftest import MAX_BYTES, Hand, launch_of, spec_of


def limited(store: Store, **limits: Any) -> QueueRecord:
    return store.queues.create(Queue(name="few", resource="stub", prioritization=True, **limits))


def enqueue(store: Store, queue: QueueRecord, count: int = 1, author: str = "alice") -> list[Run]:
    launch = launch_of(queue)
    pairs = [(spec_of(queue, launch).model_copy(update={"author": author}), launch) for _ in range(count)]
    return store.runs.get_many(store.runs.enqueue(queue, pairs, MAX_BYTES))


def try_claim(hand: Hand, run: Run) -> Claimed:
    return hand.store.runs.claim(run.spec, hand.name, hand.fence, hand.session)[0]


def test_a_launch_beyond_the_limit_is_refused_whole_and_says_who_waits(store: Store) -> None:
    # Given
    queue = limited(store, max_queued=3)
    enqueue(store, queue, 2, "bob")

    # Then
    with pytest.raises(QueueFull, match=r"lets 3 runs wait \(max_queued\), and 2 wait: bob has 2; .*--max-queued N"):
        enqueue(store, queue, 2)
    assert store.queues.counts("few")[State.QUEUED] == 2
    enqueue(store, queue, 1)


def test_an_author_at_the_limit_does_not_keep_others_from_launching(store: Store) -> None:
    # Given
    queue = limited(store, max_queued_per_author=2)
    enqueue(store, queue, 2)

    # Then
    with pytest.raises(QueueFull, match=r"2 runs of 'alice' wait \(max_queued_per_author\), and 2 wait: alice has 2"):
        enqueue(store, queue)
    enqueue(store, queue, 2, "bob")


def test_a_launch_of_several_steps_is_refused_in_its_first(store: Store) -> None:
    # Given room for the first two steps of it
    queue = limited(store, max_queued=250)

    # Then none is written
    with pytest.raises(QueueFull):
        enqueue(store, queue, 251)
    assert store.queues.counts("few")[State.QUEUED] == 0
    assert len(enqueue(store, queue, 250)) == 250


def test_a_launch_that_is_repeated_is_not_counted_twice(store: Store) -> None:
    # Given a full queue, and a launch whose first try filled it
    queue = limited(store, max_queued=1)
    launch = launch_of(queue, key="once")
    first = store.runs.enqueue(queue, [(spec_of(queue, launch, new_run_id()), launch)], MAX_BYTES)

    # When
    again = store.runs.enqueue(queue, [(spec_of(queue, launch, new_run_id()), launch)], MAX_BYTES)

    # Then
    assert again == first


def test_a_draining_queue_takes_no_launch_until_it_is_resumed(store: Store) -> None:
    # Given
    queue = limited(store)
    store.queues.set_draining("few", True)

    # Then
    with pytest.raises(Conflict, match="queue 'few' takes no launches any more"):
        enqueue(store, queue)
    store.queues.set_draining("few", False)
    enqueue(store, queue)


def test_a_full_queue_gives_no_run_and_says_who_has_its_places(store: Store, hand: Hand) -> None:
    # Given
    queue = limited(store, max_running=2)
    (first,), (second,), (third,) = (enqueue(store, queue, 1, name) for name in ("alice", "bob", "alice"))
    live = hand.claim(first)
    hand.claim(second)

    # When it is tried twice
    outcomes = [try_claim(hand, third), try_claim(hand, third)]

    # Then the run says why, once
    assert outcomes == [Claimed.QUEUE_FULL] * 2
    waiting = store.runs.get(third.id)
    assert (waiting.state, waiting.reason, waiting.hold) == (State.QUEUED, Reason.WAITING_FOR_SLOT, None)
    assert waiting.text == "The queue runs 2 at once: alice has 1, bob has 1."
    assert [event.reason for _, event in store.runs.events(third.id)] == [Reason.ENQUEUED, Reason.WAITING_FOR_SLOT]
    assert store.queues.closed(["few"]) == {"few": "full"}

    # And goes when one has ended
    hand.move(live, State.SUCCEEDED)
    assert store.queues.closed(["few"]) == {}
    assert try_claim(hand, third) is Claimed.CLAIMED


def test_a_run_beyond_its_authors_limit_is_held_and_woken_by_the_end_of_another(store: Store, hand: Hand) -> None:
    # Given
    queue = limited(store, max_running_per_author=1)
    first, second, third = enqueue(store, queue, 3)
    (other,) = enqueue(store, queue, 1, "bob")
    live = hand.claim(first)

    # When the author's next ones come to their turn
    outcomes = [try_claim(hand, third), try_claim(hand, second), try_claim(hand, other)]

    # Then they are held, and bob's run overtakes them
    assert outcomes == [Claimed.AUTHOR_FULL, Claimed.AUTHOR_FULL, Claimed.CLAIMED]
    held = store.runs.get(second.id)
    assert (held.reason, held.hold) == (Reason.WAITING_FOR_SLOT, Hold.SLOT)
    assert held.text == "Each author runs 1 at once on the queue, and alice has 1."
    assert store.alarms.due() == {}

    # And the oldest is looked at when the first ends
    hand.move(live, State.FAILED)
    assert list(store.alarms.due()) == [second.id]
    assert store.queues.has_place("few", "alice")


@pytest.mark.parametrize("limit", [2, None])
def test_a_higher_limit_wakes_what_was_held_for_the_lower_one(store: Store, hand: Hand, limit: int | None) -> None:
    # Given
    queue = limited(store, max_running_per_author=1)
    first, second, third = enqueue(store, queue, 3)
    hand.claim(first)
    for run in (second, third):
        try_claim(hand, run)

    # When
    store.queues.edit(queue.queue.model_copy(update={"max_running_per_author": limit}))

    # Then
    assert set(store.alarms.due()) == ({second.id} if limit else {second.id, third.id})


def test_a_cancelled_run_does_not_take_along_the_place_that_it_was_woken_for(store: Store, hand: Hand) -> None:
    # Given two held runs, of which the first was woken
    queue = limited(store, max_running_per_author=1)
    first, second, third = enqueue(store, queue, 3)
    live = hand.claim(first)
    for run in (second, third):
        try_claim(hand, run)
    hand.move(live, State.SUCCEEDED)

    # When it is cancelled before it goes
    store.runs.request_cancel(store.runs.get(second.id), "alice")

    # Then the next one is woken
    assert list(store.alarms.due()) == [third.id]


def test_turning_priorities_off_lets_waiting_runs_leave_as_they_were_launched(store: Store, hand: Hand) -> None:
    # Given a run of each priority, the most urgent last
    queue = limited(store)
    hand.queue = queue
    waiting = {priority: hand.enqueue(1, priority)[0].id for priority in reversed(Priority)}

    # When
    hand.queue = store.queues.edit(queue.queue.model_copy(update={"prioritization": False}))
    (later,) = hand.enqueue(1)

    # Then
    critical, high, medium, low = (waiting[priority] for priority in Priority)
    assert store.runs.waiting("few", 10) == [critical, high, medium, later.id, low]
