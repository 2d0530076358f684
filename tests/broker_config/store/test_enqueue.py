"""Enqueueing: all or nothing, and once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker_config import messages
from broker_config.connection import connect
from broker_config.errors import Conflict, InvalidRequest, NotFound, StaleWrite
from broker_config.priorities import Priority, first_place
from broker_config.queues import QueueRecord
from broker_config.runs import Launch, RunSpec
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.enqueue import BATCH
from tests.broker_config.conftest import JOB, MAX_BYTES, launch_of, spec_of

Pair = tuple[RunSpec, Launch]


def pair(queue: QueueRecord, **more: Any) -> Pair:
    launch = launch_of(queue, **more)
    return spec_of(queue, launch), launch


Snapshot = Callable[[], dict[bytes, bytes]]


@pytest.fixture
def snapshot(settings: Settings) -> Iterator[Snapshot]:
    """Everything on the broker, as bytes."""
    client = connect(settings, text=False)
    yield lambda: {key: client.dump(key) for key in client.scan_iter("*")}
    client.close()


def test_a_run_is_written_with_its_spec_event_message_and_indexes(
    store: Store, queue: QueueRecord, client: Any
) -> None:
    # Given
    spec, launch = pair(queue, priority=Priority.HIGH, key="nightly")

    # When
    ids = store.runs.enqueue(queue, [(spec, launch)], MAX_BYTES)

    # Then
    assert ids == [spec.id]
    record = client.hgetall(f"launchyard:run:{spec.id}")
    place = record.pop("place")
    assert record == {
        "version": "1",
        "state": "queued",
        "since": spec.created_at.isoformat(),
        "reason": "enqueued",
        "attempt": "1",
    }
    assert RunSpec.model_validate_json(client.get(f"launchyard:run:{spec.id}:spec")) == spec
    ((_, event),) = store.runs.events(spec.id)
    assert (event.actor, event.old, event.new, event.reason) == ("alice", None, State.QUEUED, "enqueued")
    (message,) = client.lrange("gpu-queue:1", 0, -1)
    assert messages.run_id(message) == spec.id
    waits = float(place) + first_place(Priority.HIGH)
    assert client.zrange("launchyard:queue:gpu-queue:waiting", 0, -1, withscores=True) == [(spec.id, waits)]
    assert client.zrange("launchyard:runs", 0, -1, withscores=True) == [(spec.id, float(place))]
    assert client.hgetall("launchyard:queue:gpu-queue:counts") == {"queued": "1"}
    known, digest = client.get("launchyard:idempotency:gpu-queue:nightly").split()
    assert (known, len(digest)) == (spec.id, 64)


def test_enqueueing_touches_no_other_key(store: Store, queue: QueueRecord, snapshot: Snapshot) -> None:
    # Given
    before = set(snapshot())
    spec, launch = pair(queue)

    # When
    store.runs.enqueue(queue, [(spec, launch)], MAX_BYTES)

    # Then
    assert {key.decode() for key in set(snapshot()) - before} == {
        f"launchyard:run:{spec.id}",
        f"launchyard:run:{spec.id}:spec",
        f"launchyard:run:{spec.id}:events",
        "launchyard:queue:gpu-queue:waiting",
        "launchyard:queue:gpu-queue:counts",
        "launchyard:queue:gpu-queue:authors",
        "launchyard:runs",
        "gpu-queue:2",
    }


def test_a_long_list_of_runs_keeps_its_order(store: Store, queue: QueueRecord, client: Any) -> None:
    # Given
    pairs = [pair(queue) for _ in range(2 * BATCH + 7)]

    # When
    ids = store.runs.enqueue(queue, pairs, MAX_BYTES)

    # Then
    assert ids == [spec.id for spec, _ in pairs]
    assert store.runs.waiting("gpu-queue", 1000) == ids
    assert [messages.run_id(text) for text in reversed(client.lrange("gpu-queue:2", 0, -1))] == ids
    assert store.queues.counts("gpu-queue")[State.QUEUED] == len(ids)


def test_no_run_at_all_is_written_at_once(store: Store, queue: QueueRecord) -> None:
    assert store.runs.enqueue(queue, [], MAX_BYTES) == []


def test_nothing_is_written_for_a_queue_that_does_not_exist(
    store: Store, queue: QueueRecord, snapshot: Snapshot
) -> None:
    # Given
    gone = queue.model_copy(update={"queue": queue.queue.model_copy(update={"name": "gone"})})
    before = snapshot()

    # Then
    with pytest.raises(NotFound, match="queue 'gone' does not exist"):
        store.runs.enqueue(gone, [pair(gone)], MAX_BYTES)
    assert snapshot() == before


def test_nothing_is_written_when_the_queue_was_edited_since(
    store: Store, queue: QueueRecord, snapshot: Snapshot
) -> None:
    # Given
    store.queues.edit(queue.queue.model_copy(update={"config": {"seconds": 2}}))
    before = snapshot()

    # Then
    with pytest.raises(StaleWrite, match="edited"):
        store.runs.enqueue(queue, [pair(queue)], MAX_BYTES)
    assert snapshot() == before


@pytest.mark.parametrize("text", ["x" * 5000, "ü" * 2500])
def test_one_run_that_is_too_large_keeps_all_from_being_written(
    store: Store, queue: QueueRecord, snapshot: Snapshot, text: str
) -> None:
    # Given a large one behind many small ones; the limit is in bytes, not in characters
    pairs = [*(pair(queue) for _ in range(BATCH + 1)), pair(queue, notes=text)]
    before = snapshot()

    # Then
    with pytest.raises(InvalidRequest, match=r"the run is \d,\d\d\d bytes with its queue config, and 5,000 are"):
        store.runs.enqueue(queue, pairs, 5000)
    assert snapshot() == before


def test_the_same_launch_under_one_key_is_the_same_run(store: Store, queue: QueueRecord, snapshot: Snapshot) -> None:
    # Given
    first, again = pair(queue, key="nightly"), pair(queue, key="nightly")
    store.runs.enqueue(queue, [first], MAX_BYTES)
    before = snapshot()

    # When
    ids = store.runs.enqueue(queue, [again], MAX_BYTES)

    # Then
    assert ids == [first[0].id]
    assert snapshot() == before


def test_another_launch_under_a_known_key_is_a_conflict(store: Store, queue: QueueRecord, snapshot: Snapshot) -> None:
    # Given
    first, other = pair(queue, key="nightly"), pair(queue, key="nightly", gpus=2)
    store.runs.enqueue(queue, [first], MAX_BYTES)
    before = snapshot()

    # Then nothing of the call is written, not even what came before
    with pytest.raises(Conflict, match=f"idempotency key 'nightly' stands for another launch, run {first[0].id}"):
        store.runs.enqueue(queue, [pair(queue), other], MAX_BYTES)
    assert snapshot() == before


def test_one_key_twice_in_a_call_is_one_run(store: Store, queue: QueueRecord) -> None:
    # Given
    first, again = pair(queue, key="nightly"), pair(queue, key="nightly")

    # When
    ids = store.runs.enqueue(queue, [first, again], MAX_BYTES)

    # Then
    assert ids == [first[0].id, first[0].id]
    assert store.runs.waiting("gpu-queue", 10) == [first[0].id]


def test_one_key_for_two_launches_in_a_call_is_a_conflict(store: Store, queue: QueueRecord, snapshot: Snapshot) -> None:
    # Given
    before = snapshot()

    # Then
    with pytest.raises(Conflict, match="'nightly'"):
        store.runs.enqueue(queue, [pair(queue, key="nightly"), pair(queue, key="nightly", gpus=2)], MAX_BYTES)
    assert snapshot() == before


def test_one_key_on_two_queues_is_two_runs(store: Store, queue: QueueRecord) -> None:
    # Given
    other = store.queues.create(queue.queue.model_copy(update={"name": "other"}))

    # When
    ids = [*store.runs.enqueue(queue, [pair(queue, key="k")], MAX_BYTES)]
    ids += store.runs.enqueue(other, [pair(other, key="k")], MAX_BYTES)

    # Then
    assert len(set(ids)) == 2


def test_to_repeat_an_enqueue_whose_reply_was_lost_changes_nothing(
    store: Store, queue: QueueRecord, client: Any, snapshot: Snapshot
) -> None:
    # Given
    pairs = [pair(queue), pair(queue, key="nightly"), pair(queue)]
    store.runs.enqueue(queue, pairs[:2], MAX_BYTES)
    before = snapshot()

    # When
    ids = store.runs.enqueue(queue, pairs[:2], MAX_BYTES)
    after = snapshot()
    more = store.runs.enqueue(queue, pairs, MAX_BYTES)

    # Then
    assert ids == [spec.id for spec, _ in pairs[:2]]
    assert after == before
    assert more == [spec.id for spec, _ in pairs]
    assert client.llen("gpu-queue:2") == 3


def test_one_key_from_many_producers_at_once_is_one_run(store: Store, queue: QueueRecord) -> None:
    # Given
    found: list[str] = []
    start = threading.Barrier(8)

    def produce() -> None:
        start.wait(10)
        found.extend(store.runs.enqueue(queue, [pair(queue, key="nightly")], MAX_BYTES))

    # When
    threads = [threading.Thread(target=produce) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    # Then
    assert len(found) == 8
    assert len(set(found)) == 1
    assert store.queues.counts("gpu-queue")[State.QUEUED] == 1


def test_the_message_carries_the_queue_config_as_it_was(store: Store, queue: QueueRecord, client: Any) -> None:
    # Given
    (run_id,) = store.runs.enqueue(queue, [pair(queue)], MAX_BYTES)

    # When
    store.queues.edit(queue.queue.model_copy(update={"config": {"seconds": 8}}))

    # Then
    assert store.runs.get(run_id).spec.queue == queue.queue
    assert json.loads(client.lindex("gpu-queue:2", 0))["headers"]["id"] == run_id
    assert store.runs.get(run_id).spec.job == JOB
