"""Agents' names: one session holds each."""

from __future__ import annotations

import threading
import time

from broker_config.store import Store
from tests.agents import eventually
from tests.broker_config.conftest import agent_info

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
    latest = agent_info("b@host", live=3)
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
