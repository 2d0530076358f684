"""Revisions of queues in the store."""

from __future__ import annotations

import threading

import pytest

from broker_config.errors import Conflict, InvalidConfig, NotFound, StaleWrite
from broker_config.queues import Queue, QueueRecord
from broker_config.store import Store
from broker_config.store.queues import REVISIONS_KEPT
from tests.broker_config.conftest import MAX_BYTES, launch_of, spec_of


def queue_with(seconds: float, **fields: object) -> Queue:
    return Queue.model_validate({"name": "gpu", "resource": "stub", "config": {"seconds": seconds}, **fields})


def test_every_edit_is_a_revision_with_its_author_counted_for_each_queue(store: Store) -> None:
    # Given another queue, which counts for itself
    store.queues.create(Queue(name="other", resource="stub"))

    # When
    store.queues.create(queue_with(1))
    store.queues.edit(queue_with(2), note="more time")

    # Then
    told = [(one.revision, one.queue.config, one.note) for one in store.queues.history("gpu")]
    assert told == [(2, {"seconds": 2.0}, "more time"), (1, {"seconds": 1.0}, "")]
    record = store.queues.get("gpu")
    assert record.updated_by
    assert {one.author for one in store.queues.history("gpu")} == {record.updated_by}


def test_a_queue_is_rolled_back_by_a_new_revision_with_the_old_definition(store: Store) -> None:
    # Given
    first = store.queues.create(queue_with(1, prioritization=True, description="old"))
    store.queues.edit(queue_with(2))

    # When
    record = store.queues.roll_back("gpu", first.revision)

    # Then
    assert (record.queue, record.revision) == (first.queue, 3)
    assert store.queues.history("gpu")[0].note == "as revision 1"


def test_a_revision_that_cannot_work_today_is_not_rolled_back_to(store: Store) -> None:
    # Given a revision that was written before its config was checked
    store.queues.create(queue_with(1))
    bad = queue_with(1).model_copy(update={"config": {"secondz": 1}})
    store.queues._write("edit", bad)
    store.queues.edit(queue_with(3))

    # Then
    with pytest.raises(InvalidConfig, match="secondz"):
        store.queues.roll_back("gpu", 2)
    assert store.queues.get("gpu").revision == 3


def test_the_newest_revisions_are_kept_and_older_ones_are_told_to_be_gone(store: Store) -> None:
    # Given
    store.queues.create(queue_with(0))
    for number in range(REVISIONS_KEPT):
        store.queues.edit(queue_with(number + 1))

    # Then
    assert [one.revision for one in store.queues.history("gpu")] == list(range(REVISIONS_KEPT + 1, 1, -1))
    with pytest.raises(NotFound, match="queue 'gpu' has no revision 1; the newest 100 are kept"):
        store.queues.roll_back("gpu", 1)


def test_of_two_who_edit_the_same_revision_one_is_told_of_the_other(store: Store) -> None:
    # Given
    read = store.queues.create(queue_with(1)).revision
    store.queues.edit(queue_with(2), read)

    # Then
    with pytest.raises(
        Conflict, match=r"is at revision 2 by '.*', not at 1; look at it with 'launchyard queue diff gpu 1'"
    ):
        store.queues.edit(queue_with(3), read)
    assert store.queues.get("gpu").queue == queue_with(2)


def test_edits_at_one_moment_are_revisions_one_after_the_other(store: Store) -> None:
    # Given
    store.queues.create(queue_with(0))
    records: list[QueueRecord] = []
    start = threading.Barrier(6)

    def edit(number: int) -> None:
        start.wait(10)
        records.append(store.queues.edit(queue_with(number)))

    # When
    threads = [threading.Thread(target=edit, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    # Then
    history = store.queues.history("gpu")
    assert [one.revision for one in history] == [7, 6, 5, 4, 3, 2, 1]
    assert sorted(one.queue.config["seconds"] for one in history) == [0, 1, 2, 3, 4, 5, 6]
    assert store.queues.get("gpu").queue == history[0].queue


def test_a_queue_of_a_deleted_ones_name_is_not_taken_for_it(store: Store) -> None:
    # Given a producer that knows a queue which was deleted and made anew
    known = store.queues.create(queue_with(1))
    store.queues.delete("gpu")
    again = store.queues.create(queue_with(2))

    # When it launches by what it knows
    launch = launch_of(known)

    # Then it is told
    with pytest.raises(StaleWrite):
        store.runs.enqueue(known, [(spec_of(known, launch), launch)], MAX_BYTES)
    assert (known.revision, again.revision) == (1, 2)
    assert [one.revision for one in store.queues.history("gpu")] == [2]
