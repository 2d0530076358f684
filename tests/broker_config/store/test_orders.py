"""Lost orders: which queued runs have no message in front of the later ones."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from broker_config import messages
from broker_config.messages import Order
from broker_config.priorities import Priority, list_key
from broker_config.queues import QueueRecord
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.broker_config.conftest import Hand

QUEUE = "gpu-queue"


def lost(store: Store) -> list[str]:
    return [order.spec.id for order in store.runs.overtaken(QUEUE)]


def orders(client: Any) -> dict[str, Order]:
    """The orders of medium priority in the broker, by run."""
    bodies = [b64decode(json.loads(text)["body"]) for text in client.lrange(list_key(QUEUE, Priority.MEDIUM), 0, -1)]
    found = [messages.decode(**json.loads(body)[1]) for body in bodies]
    return {order.spec.id: order for order in found}


def lose(client: Any, run: Run) -> None:
    """Remove the order of a run, as a worker does that dies between the pop and its note of it."""
    key = list_key(QUEUE, run.spec.priority)
    for text in client.lrange(key, 0, -1):
        if messages.run_id(text) == run.id:
            client.lrem(key, 1, text)


def test_nothing_is_lost_where_nothing_waits(store: Store, hand: Hand) -> None:
    assert lost(store) == []


def test_nothing_is_lost_of_five_thousand_that_wait(store: Store, hand: Hand) -> None:
    # Given
    for priority in Priority:
        hand.enqueue(1250, priority)

    # Then
    assert lost(store) == []


def test_an_order_that_is_lost_at_the_front_is_found(store: Store, hand: Hand, client: Any) -> None:
    # Given
    first, second, *_ = hand.enqueue(5)
    lose(client, first)
    lose(client, second)

    # Then
    assert lost(store) == [first.id, second.id]


@pytest.mark.parametrize("priority", list(Priority))
def test_an_order_that_is_lost_in_one_priority_is_found_among_the_others(
    store: Store, hand: Hand, client: Any, priority: Priority
) -> None:
    # Given
    runs = {
        level: hand.enqueue(3, level) for level in (Priority.LOW, Priority.CRITICAL, Priority.MEDIUM, Priority.HIGH)
    }
    lose(client, runs[priority][0])

    # Then
    assert lost(store) == [runs[priority][0].id]


def test_a_late_critical_order_that_is_lost_is_found_behind_more_than_a_thousand_low_ones(
    store: Store, hand: Hand, client: Any
) -> None:
    # Given
    low = hand.enqueue(1100, Priority.LOW)
    (critical,) = hand.enqueue(1, Priority.CRITICAL)
    lose(client, critical)
    lose(client, low[0])

    # Then
    assert lost(store) == [critical.id, low[0].id]


def test_runs_wait_in_the_order_in_which_they_leave(store: Store, hand: Hand) -> None:
    # Given
    runs = {level: hand.enqueue(2, level) for level in (Priority.LOW, Priority.MEDIUM, Priority.CRITICAL)}
    claimed = hand.claim(runs[Priority.LOW][0])

    # When
    hand.requeue(claimed)

    # Then
    assert store.runs.waiting(QUEUE, 10) == [run.id for level in sorted(runs) for run in runs[level]]


def test_an_order_that_is_lost_behind_others_is_found_when_they_have_gone(
    store: Store, hand: Hand, client: Any
) -> None:
    # Given
    first, second, third = hand.enqueue(3)
    lose(client, second)
    assert lost(store) == []

    # When
    client.rpop("gpu-queue:2")
    hand.claim(first)

    # Then
    assert lost(store) == [second.id]
    assert third.state is State.QUEUED


def test_all_orders_lost_are_all_found(store: Store, hand: Hand, client: Any) -> None:
    # Given
    runs = [run for priority in Priority for run in hand.enqueue(3, priority)]
    client.delete(*(list_key(QUEUE, priority) for priority in Priority))

    # Then
    assert lost(store) == [run.id for run in runs]


def test_an_order_in_an_agents_hands_looks_lost_until_it_is_claimed(store: Store, hand: Hand, client: Any) -> None:
    # Given
    (run,) = hand.enqueue()
    client.rpop("gpu-queue:2")
    seen = lost(store)

    # When
    hand.claim(run)

    # Then
    assert (seen, lost(store)) == ([run.id], [])


def test_a_second_delivery_at_the_front_hides_nothing_for_longer_than_it_is_there(
    store: Store, hand: Hand, client: Any
) -> None:
    # Given an order of a run that is held, in front of one that waits, behind one whose order is lost
    held, gone, _ = hand.enqueue(3)
    client.rpop("gpu-queue:2")
    hand.claim(held)
    lose(client, gone)
    store.runs.send_again(Order(held.spec))
    hidden = lost(store)

    # When
    client.rpop("gpu-queue:2")

    # Then
    assert (hidden, lost(store)) == ([], [gone.id])


def test_an_order_that_is_sent_again_leaves_first(store: Store, hand: Hand, client: Any) -> None:
    # Given
    first, second, _ = hand.enqueue(3)
    lose(client, first)

    # When
    store.runs.send_again(Order(first.spec))

    # Then
    assert lost(store) == []
    assert [messages.run_id(client.rpop("gpu-queue:2")) for _ in range(2)] == [first.id, second.id]


def test_only_so_many_are_looked_at_and_those_have_waited_longest(store: Store, hand: Hand, client: Any) -> None:
    # Given
    runs = hand.enqueue(20)
    client.delete("gpu-queue:2")

    # Then
    assert [order.spec.id for order in store.runs.overtaken(QUEUE, limit=5)] == [run.id for run in runs[:5]]


def test_an_order_that_is_sent_again_has_the_signature_of_the_first_one(
    settings: Settings, queue: QueueRecord, client: Any
) -> None:
    # Given a signed run that is claimed, and one whose order is lost
    store = Store(settings.model_copy(update={"signing_keys": f"k1:{b64encode(b'k' * 32).decode()}"}))
    hand = Hand(store, queue)
    _missing, claimed = hand.enqueue(2)
    first = orders(client)
    client.delete(list_key(QUEUE, Priority.MEDIUM))

    # When the one goes back to its queue, and the other is found to be missing
    hand.requeue(hand.claim(claimed))
    for order in store.runs.overtaken(QUEUE):
        store.runs.send_again(order)

    # Then
    assert orders(client) == first
    assert all(order.signature.startswith("k1.") for order in first.values())
    store.close()
