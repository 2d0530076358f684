"""Queues in the store."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from broker_config.errors import Conflict, NotFound, StaleWrite
from broker_config.queues import Queue, QueueRecord
from broker_config.states import State
from broker_config.store import Store
from tests.broker_config.conftest import MAX_BYTES, Hand, launch_of, spec_of

QUEUE = Queue(name="gpu", resource="docker", config={"gpus": 1})


def test_a_new_queue_comes_back_as_it_was_written(store: Store) -> None:
    # When
    record = store.queues.create(QUEUE)

    # Then
    assert (record.queue, record.paused, record.created_at) == (QUEUE, False, record.updated_at)
    assert store.queues.get("gpu") == record
    assert store.queues.list() == [record]


def test_a_name_that_is_taken_stays_as_it_is(store: Store) -> None:
    # Given
    record = store.queues.create(QUEUE)

    # Then
    with pytest.raises(Conflict, match="queue 'gpu' exists; edit it, or choose another name"):
        store.queues.create(Queue(name="gpu", resource="stub"))
    assert store.queues.get("gpu") == record


def test_of_many_who_create_one_name_one_succeeds_with_all_of_its_queue(store: Store) -> None:
    # Given
    created: list[QueueRecord] = []
    start = threading.Barrier(6)

    def create(number: int) -> None:
        start.wait(10)
        try:
            created.append(store.queues.create(QUEUE.model_copy(update={"config": {"gpus": number}})))
        except Conflict:
            return

    # When
    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    # Then
    assert created == [store.queues.get("gpu")]


def test_a_queue_that_does_not_exist_is_answered_with_the_one_that_was_meant(store: Store) -> None:
    # Given
    store.queues.create(QUEUE)

    # Then
    for action in (store.queues.get, store.queues.delete):
        with pytest.raises(NotFound, match="queue 'gpuu' does not exist; did you mean 'gpu'"):
            action("gpuu")
    with pytest.raises(NotFound, match="did you mean 'gpu'"):
        store.queues.set_paused("gpuu", True)
    with pytest.raises(NotFound, match="did you mean 'gpu'"):
        store.queues.edit(Queue(name="gpuu", resource="stub"))


def test_without_any_queue_an_unknown_one_says_that_there_is_none(store: Store) -> None:
    with pytest.raises(NotFound, match="queue 'gpu' does not exist; there is none yet"):
        store.queues.get("gpu")


def test_an_edit_is_a_new_revision(store: Store) -> None:
    # Given
    record = store.queues.create(QUEUE)

    # When
    edited = store.queues.edit(QUEUE.model_copy(update={"config": {"gpus": 2}}))

    # Then
    assert edited.queue.config == {"gpus": 2}
    assert edited.revision > record.revision
    assert (edited.created_at, edited.updated_at > record.updated_at) == (record.created_at, True)


def test_a_revision_is_not_used_again_by_a_queue_of_the_same_name(store: Store) -> None:
    # Given a producer that read the queue before it was deleted and made anew
    old = store.queues.create(QUEUE)
    store.queues.delete("gpu")
    store.queues.create(QUEUE)

    # Then
    launch = launch_of(old)
    with pytest.raises(StaleWrite):
        store.runs.enqueue(old, [(spec_of(old, launch), launch)], MAX_BYTES)


def test_an_edit_of_a_queue_that_is_deleted_meanwhile_does_not_bring_it_back(
    store: Store, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who deletes it after the edit has seen it
    record = store.queues.create(QUEUE)
    get = store.queues.get

    def get_then_delete(name: str) -> QueueRecord:
        monkeypatch.setattr(store.queues, "get", get)
        store.queues.delete(name)
        return record

    monkeypatch.setattr(store.queues, "get", get_then_delete)

    # When
    with pytest.raises(NotFound):
        store.queues._update("gpu", {"paused": 1})

    # Then
    assert list(client.scan_iter("launchyard:queue:*")) == []


def test_a_pause_has_a_reason_and_ends(store: Store) -> None:
    # Given
    record = store.queues.create(QUEUE)
    store.queues.create(Queue(name="other", resource="stub"))

    # When
    paused = store.queues.set_paused("gpu", True, "maintenance")
    found = store.queues.closed(["gpu", "other", "unknown"])
    resumed = store.queues.set_paused("gpu", False)

    # Then
    assert (paused.paused, paused.pause_reason, found) == (True, "maintenance", {"gpu": "paused"})
    assert resumed == record
    assert store.queues.closed(["gpu", "other"]) == {}


def test_an_edit_leaves_a_pause(store: Store) -> None:
    # Given
    store.queues.create(QUEUE)
    store.queues.set_paused("gpu", True, "maintenance")

    # Then
    assert store.queues.edit(QUEUE).pause_reason == "maintenance"


@pytest.mark.parametrize("state", [state for state in State if not state.is_terminal])
def test_a_queue_with_a_run_that_has_not_ended_is_not_deleted(store: Store, hand: Hand, state: State) -> None:
    # Given
    hand.run_in(state)

    # Then
    with pytest.raises(Conflict, match="queue 'gpu-queue' has 1 runs that have not ended"):
        store.queues.delete("gpu-queue")
    assert store.queues.get("gpu-queue") == hand.queue


def test_a_deleted_queue_leaves_its_ended_runs_and_nothing_of_its_own(store: Store, hand: Hand, client: Any) -> None:
    # Given
    run = hand.move(hand.run_in(State.RUNNING), State.SUCCEEDED)

    # When
    store.queues.delete("gpu-queue")

    # Then
    assert store.runs.get(run.id) == run
    assert store.queues.list() == []
    assert list(client.scan_iter("launchyard:queue:*")) == []


def test_a_run_that_is_enqueued_while_its_queue_is_deleted_is_kept_with_it(
    store: Store, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run that comes just after the deletion has counted
    counts = store.queues.counts

    def count_then_enqueue(name: str) -> dict[State, int]:
        monkeypatch.setattr(store.queues, "counts", counts)
        counted = counts(name)
        hand.enqueue()
        return counted

    monkeypatch.setattr(store.queues, "counts", count_then_enqueue)

    # Then
    with pytest.raises(Conflict, match="has 1 runs"):
        store.queues.delete("gpu-queue")
    assert len(store.runs.waiting("gpu-queue", 10)) == 1


def test_counts_tell_of_every_state(store: Store, hand: Hand) -> None:
    # Given
    hand.enqueue(3)
    hand.run_in(State.RUNNING)
    hand.move(hand.run_in(State.RUNNING), State.SUCCEEDED)

    # Then
    assert store.queues.counts("gpu-queue") == {
        **dict.fromkeys(State, 0),
        State.QUEUED: 3,
        State.RUNNING: 1,
        State.SUCCEEDED: 1,
    }


def test_a_record_is_read_back_with_its_times_as_times(store: Store) -> None:
    # Then
    assert store.queues.create(QUEUE).created_at.tzinfo is not None
