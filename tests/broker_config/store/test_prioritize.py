"""A run that waits gets another priority: its order moves, and it is neither lost nor carried out twice."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from broker_config import messages
from broker_config.connection import connect
from broker_config.errors import Conflict
from broker_config.priorities import Priority, list_key
from broker_config.queues import Queue
from broker_config.runs import now
from broker_config.settings import Settings
from broker_config.states import Hold, Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from broker_config.store.claims import Claimed
from tests.broker_config.conftest import MAX_BYTES, Hand, launch_of, spec_of

QUEUE = "gpu-queue"
LISTS = [list_key(QUEUE, priority) for priority in Priority]


def leaving(client: Any) -> list[str]:
    """The runs whose orders are in the broker, as agents would take them; they are taken."""
    return [messages.run_id(text) for key in LISTS for text in reversed(client.lrange(key, 0, -1))]


def test_a_run_leaves_its_queue_as_if_it_had_been_enqueued_with_its_new_priority(
    store: Store, hand: Hand, client: Any
) -> None:
    # Given runs of two priorities, enqueued in turn
    high, medium = [], []
    for _ in range(3):
        high += hand.enqueue(1, Priority.HIGH)
        medium += hand.enqueue(1)

    # When one is raised
    raised = store.runs.set_priority(medium[1], Priority.HIGH, "olga")

    # Then it is among those of its new priority where its time puts it, and its spec is to the letter what it was
    order = [high[0], high[1], raised, high[2], medium[0], medium[2]]
    assert leaving(client) == store.runs.waiting(QUEUE, 10) == [run.id for run in order]
    assert (raised.priority, raised.spec.priority, raised.version) == (Priority.HIGH, Priority.MEDIUM, 2)
    assert store.runs.spec_text(raised.id).text == medium[1].spec.model_dump_json()


def test_an_event_says_who_gave_it_and_the_reason_of_its_waiting_stays(store: Store, hand: Hand) -> None:
    (run,) = hand.enqueue()
    store.runs.set_priority(run, Priority.LOW, "olga")
    (_, event) = store.runs.events(run.id)[-1]
    assert (event.reason, event.actor) == (Reason.PRIORITY_CHANGED, "olga")
    assert event.text == "olga gave it the priority low; it had medium."
    assert store.runs.get(run.id).reason is Reason.ENQUEUED


def test_the_order_says_the_priority_so_that_a_broker_that_gets_it_back_puts_it_there(
    store: Store, hand: Hand, client: Any
) -> None:
    (run,) = hand.enqueue()
    store.runs.set_priority(run, Priority.CRITICAL, "olga")
    order = json.loads(client.lindex(list_key(QUEUE, Priority.CRITICAL), 0))
    assert order["properties"]["priority"] == Priority.CRITICAL
    assert "priority=critical" in order["headers"]["kwargsrepr"]


def test_the_same_priority_changes_nothing(store: Store, hand: Hand) -> None:
    (run,) = hand.enqueue()
    assert store.runs.set_priority(run, Priority.MEDIUM, "olga") == run
    raised = store.runs.set_priority(run, Priority.HIGH, "olga")
    back = store.runs.set_priority(raised, Priority.MEDIUM, "olga")
    assert (back.priority, back.version) == (Priority.MEDIUM, 3)


@pytest.mark.parametrize("state", [State.CLAIMED, State.RUNNING, State.SUCCEEDED])
def test_a_run_that_waits_no_more_is_refused(store: Store, hand: Hand, state: State) -> None:
    run = hand.run_in(State.QUEUED)
    claimed = hand.claim(run)
    if state is not State.CLAIMED:
        hand.move(claimed, state)
    with pytest.raises(Conflict, match=f"is {state}: only a run that is queued"):
        store.runs.set_priority(run, Priority.HIGH, "olga")


def test_another_attempt_has_the_priority_that_was_given(store: Store, hand: Hand, client: Any) -> None:
    # Given
    (run,) = hand.enqueue()
    raised = store.runs.set_priority(run, Priority.HIGH, "olga")
    client.delete(*LISTS)

    # When
    requeued = hand.requeue(hand.claim(raised))

    # Then
    assert requeued.priority is Priority.HIGH
    assert client.llen(list_key(QUEUE, Priority.HIGH)) == 1


def test_an_order_that_is_sent_again_goes_where_its_run_waits(store: Store, hand: Hand, client: Any) -> None:
    # Given a run whose order is lost after it was raised, and others that wait
    hand.enqueue(3)
    (run,) = hand.enqueue()
    store.runs.set_priority(run, Priority.HIGH, "olga")
    client.delete(list_key(QUEUE, Priority.HIGH))

    # When
    (lost,) = store.runs.overtaken(QUEUE)
    store.runs.send_again(lost)

    # Then
    assert leaving(client)[0] == run.id
    assert store.runs.overtaken(QUEUE) == []


def test_a_second_delivery_in_the_old_list_hides_nothing_and_makes_nothing_look_lost(
    store: Store, hand: Hand, client: Any
) -> None:
    # Given an order that an agent has in its hands as its run is lowered, and that comes back then
    run, *others = hand.enqueue(4)
    in_hands = client.rpop(list_key(QUEUE, Priority.MEDIUM))
    store.runs.set_priority(run, Priority.LOW, "olga")
    client.rpush(list_key(QUEUE, Priority.MEDIUM), in_hands)

    # Then
    assert store.runs.overtaken(QUEUE) == []

    # When another one is moved past it
    store.runs.set_priority(others[0], Priority.LOW, "olga")

    # Then
    assert leaving(client) == [run.id, others[1].id, others[2].id, run.id, others[0].id]


def test_a_run_that_is_held_has_no_order_until_it_is_due(store: Store, hand: Hand, client: Any) -> None:
    # Given a run that waits for its time
    launch = launch_of(hand.queue)
    spec = spec_of(hand.queue, launch).model_copy(update={"not_before": now() + timedelta(hours=1)})
    (run_id,) = store.runs.enqueue(hand.queue, [(spec, launch)], MAX_BYTES)

    # When
    raised = store.runs.set_priority(store.runs.get(run_id), Priority.HIGH, "olga")

    # Then
    assert leaving(client) == store.runs.waiting(QUEUE, 10) == []

    # When its time has come
    store.runs.change(raised, Change(State.QUEUED, Reason.DUE, "", "agent", {"hold": None}))

    # Then
    assert client.llen(list_key(QUEUE, Priority.HIGH)) == 1
    assert store.runs.waiting(QUEUE, 10) == [run_id]


def test_runs_that_are_held_for_a_place_of_their_author_are_let_go_by_their_new_priority(store: Store) -> None:
    # Given three runs of an author who may run one at once
    queue = store.queues.create(Queue(name="few", resource="stub", prioritization=True, max_running_per_author=1))
    hand = Hand(store, queue)
    first, second, third = hand.enqueue(3)
    live = hand.claim(first)
    for run in (second, third):
        assert store.runs.claim(run.spec, hand.name, hand.fence, hand.session)[0] is Claimed.AUTHOR_FULL

    # When the last is raised, and the first ends
    store.runs.set_priority(store.runs.get(third.id), Priority.HIGH, "olga")
    hand.move(live, State.SUCCEEDED)

    # Then
    assert store.runs.get(third.id).hold is Hold.SLOT
    assert [*store.alarms.due()] == [third.id]


@effort(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    enqueued=st.lists(st.sampled_from(Priority), min_size=1, max_size=12),
    moves=st.lists(st.tuples(st.integers(0, 11), st.sampled_from(Priority)), max_size=30),
)
def test_after_any_moves_each_run_has_one_order_and_they_leave_by_priority_and_time(
    settings: Settings, enqueued: list[Priority], moves: list[tuple[int, Priority]]
) -> None:
    # Given
    client = connect(settings)
    client.flushall()
    store = Store(settings)
    hand = Hand(store, store.queues.create(Queue(name=QUEUE, resource="stub", prioritization=True)))
    runs = [run for priority in enqueued for run in hand.enqueue(1, priority)]

    # When
    for number, priority in moves:
        run = runs[number % len(runs)]
        store.runs.set_priority(store.runs.get(run.id), priority, "olga")

    # Then
    found = sorted(store.runs.get_many([run.id for run in runs]), key=lambda run: (run.priority, run.place))
    assert leaving(client) == store.runs.waiting(QUEUE, 100) == [run.id for run in found]
    assert store.runs.overtaken(QUEUE) == []
    store.close()
    client.close()


def test_no_run_is_lost_or_claimed_twice_while_agents_take_what_people_move(
    store: Store, hand: Hand, client: Any
) -> None:
    # Given
    runs = hand.enqueue(200)
    claims: Counter[str] = Counter()
    is_over = threading.Event()

    def take() -> None:
        while not is_over.is_set():
            text = next((text for key in LISTS if (text := client.rpop(key))), None)
            if text is None:
                continue
            run = store.runs.get(messages.run_id(text))
            if store.runs.claim(run.spec, hand.name, hand.fence, hand.session)[0] is Claimed.CLAIMED:
                claims[run.id] += 1

    def move(seed: int) -> int:
        choice, moved = random.Random(seed), 0
        while not is_over.is_set():
            run = store.runs.get(choice.choice(runs).id)
            try:
                moved += store.runs.set_priority(run, choice.choice(list(Priority)), "olga") != run
            except Conflict:
                continue
        return moved

    # When two agents take and two people move at once
    with ThreadPoolExecutor(4) as pool:
        movers = [pool.submit(move, seed) for seed in range(2)]
        for _ in range(2):
            pool.submit(take)
        deadline = time.monotonic() + 60
        while store.queues.counts(QUEUE)[State.QUEUED] and time.monotonic() < deadline:
            time.sleep(0.05)
        is_over.set()

    # Then
    assert claims == Counter({run.id: 1 for run in runs})
    assert sum(mover.result() for mover in movers) > 0
    assert store.runs.waiting(QUEUE, 10) == []
