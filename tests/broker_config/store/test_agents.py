"""Agents' names: one session holds each."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from broker_config.states import State
from broker_config.store import Store
from broker_config.store.agents import LISTED, Mode, Wish
from tests.agents import eventually
from tests.broker_config.conftest import Hand, agent_info

NAME = "agent@host"


def test_a_free_name_is_taken_and_then_held(store: Store) -> None:
    # When
    taken = store.agents.take(NAME, "one", 30)

    # Then
    assert (taken, store.agents.holder(NAME)) == ("one", "one")
    assert store.agents.take(NAME, "two", 30) == "one"
    assert store.agents.take(NAME, "one", 30) == "one"
    assert store.agents.holder("other@host") == ""


def test_a_name_can_be_taken_from_a_session_that_is_known_to_be_dead_and_from_no_other(store: Store) -> None:
    # Given
    store.agents.take(NAME, "one", 30)

    # Then
    assert store.agents.take(NAME, "two", 30, replaces="another") == "one"
    assert store.agents.take(NAME, "two", 30, replaces="one") == "two"
    assert store.agents.take(NAME, "three", 30, replaces="one") == "two"


def test_a_lease_runs_out_unless_it_is_renewed(store: Store) -> None:
    # Given
    store.agents.take("kept@host", "one", 0.4)
    store.agents.take(NAME, "one", 0.4)
    until = time.monotonic() + 1

    # When
    while time.monotonic() < until:
        assert store.agents.renew("kept@host", "one", 0.4)
        time.sleep(0.05)

    # Then
    assert (store.agents.holder("kept@host"), store.agents.holder(NAME)) == ("one", "")


def test_a_session_that_was_frozen_takes_its_lease_up_again_if_nobody_else_did(store: Store) -> None:
    # Given
    store.agents.take(NAME, "one", 0.05)
    eventually(lambda: store.agents.holder(NAME) == "", "the lease has run out")

    # Then
    assert store.agents.renew(NAME, "one", 30)
    assert store.agents.holder(NAME) == "one"


def test_a_session_whose_name_was_taken_learns_it_when_it_renews(store: Store) -> None:
    # Given
    store.agents.take(NAME, "one", 30)
    store.agents.take(NAME, "two", 30, replaces="one")

    # Then
    assert not store.agents.renew(NAME, "one", 30)
    assert store.agents.holder(NAME) == "two"


def test_a_session_gives_back_its_own_lease_only(store: Store) -> None:
    # Given
    store.agents.take(NAME, "one", 30)

    # When
    store.agents.release(NAME, "two")
    held = store.agents.holder(NAME)
    store.agents.release(NAME, "one")

    # Then
    assert (held, store.agents.holder(NAME)) == ("one", "")


def test_of_many_sessions_at_once_one_gets_the_name(store: Store) -> None:
    # Given
    answers: list[str] = []
    start = threading.Barrier(8)

    def take(session: str) -> None:
        start.wait(10)
        answers.append(store.agents.take(NAME, session, 30))

    # When
    threads = [threading.Thread(target=take, args=(f"session {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    # Then
    assert answers == [store.agents.holder(NAME)] * 8


def test_every_fence_is_larger_than_the_one_before(store: Store) -> None:
    # When
    fences = [store.agents.new_fence() for _ in range(5)]

    # Then
    assert sorted(set(fences)) == fences


def test_agents_are_listed_by_name_with_whether_they_live(store: Store) -> None:
    # Given
    for name in ("b@host", "a@host"):
        store.agents.announce(agent_info(name))
    store.agents.take("a@host", "one", 30)
    latest = agent_info("b@host").model_copy(update={"pid": 2})
    store.agents.announce(latest)

    # Then
    listed = store.agents.list()
    assert [(agent.name, alive) for agent, alive in listed] == [("a@host", True), ("b@host", False)]
    assert listed[1][0] == latest


def test_an_agent_that_said_goodbye_is_listed_no_more(store: Store) -> None:
    # Given
    store.agents.announce(agent_info())

    # When
    store.agents.forget(NAME)

    # Then
    assert store.agents.list() == []


def test_what_a_gone_agent_holds_is_what_nobody_has_taken_over(store: Store, hand: Hand) -> None:
    # Given
    hand.run_in(State.RUNNING)
    store.agents.announce(agent_info(hand.name, live=3))

    # When
    store.agents.release(hand.name, hand.session)

    # Then
    assert [(info.live, alive) for info, alive in store.agents.list()] == [(1, False)]


def test_an_agent_that_stopped_is_listed_until_others_have_its_runs(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)
    stopped = agent_info().model_copy(update={"stopped": True})
    for name in (hand.name, "empty@host"):
        store.agents.announce(stopped.model_copy(update={"name": name}))
    store.agents.release(hand.name, hand.session)

    # When
    store.agents.forget_gone()

    # Then
    assert [info.name for info, _ in store.agents.list()] == [hand.name]

    # When
    hand.move(run, State.SUCCEEDED)
    store.agents.forget_gone()

    # Then
    assert store.agents.list() == []


def test_an_agent_that_is_gone_for_long_is_forgotten_unless_it_holds_a_run_or_is_paused(
    store: Store, hand: Hand
) -> None:
    # Given
    hand.run_in(State.RUNNING)
    long_ago = agent_info().seen_at - LISTED - timedelta(seconds=1)
    for name in (hand.name, "paused@host", "alive@host", NAME):
        store.agents.announce(agent_info(name).model_copy(update={"seen_at": long_ago}))
    store.agents.announce(agent_info("recent@host"))
    store.agents.release(hand.name, hand.session)
    store.agents.take("alive@host", "one", 30)
    store.agents.set_wish("paused@host", Wish(mode=Mode.PAUSED, reason="a new GPU", by="ada"))

    # When
    store.agents.forget_gone()

    # Then
    assert [info.name for info, _ in store.agents.list()] == sorted(
        [hand.name, "paused@host", "alive@host", "recent@host"]
    )
