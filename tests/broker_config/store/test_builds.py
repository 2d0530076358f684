"""Leases on builds: one at a time, each with a fence, and what the others hear."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from broker_config.states import FailureClass, Reason
from broker_config.store import Store
from broker_config.store.builds import Ended, Failure, Underway, Want
from tests.agents import eventually

SECONDS = 60.0
BROKEN = Failure(failure=FailureClass.BUILD, reason=Reason.BUILD_FAILED, text="no such package", run="run-a")


@pytest.fixture
def want(store: Store) -> Callable[..., Want]:
    """Makes wishes for one key, of agents whose sessions are open."""

    def make(agent: str, **fields: Any) -> Want:
        session = f"session of {agent}"
        store.agents.take(agent, session, 600)
        since = store.builds.clock()
        wished = {"id": f"{agent}-{since}", "agent": agent, "session": session, "run": f"run-{agent}", "since": since}
        return Want(**{"key": "engine/abc", **wished, **fields})

    return make


Wanting = Callable[..., Want]


def fence_of(taken: int | Underway | Failure) -> int:
    assert isinstance(taken, int)
    return taken


def test_the_first_one_builds_and_the_others_hear_who_does(store: Store, want: Wanting) -> None:
    # When
    fence = fence_of(store.builds.take(want("a"), SECONDS))
    other = store.builds.take(want("b"), SECONDS)

    # Then
    assert fence > 0
    assert isinstance(other, Underway)
    assert (other.agent, other.run) == ("a", "run-a")


def test_a_lease_whose_reply_was_lost_is_given_again(store: Store, want: Wanting) -> None:
    wish = want("a")
    assert store.builds.take(wish, SECONDS) == store.builds.take(wish, SECONDS)


def test_another_wish_of_the_same_agent_waits_as_those_of_others_do(store: Store, want: Wanting) -> None:
    store.builds.take(want("a"), SECONDS)
    assert isinstance(store.builds.take(want("a"), SECONDS), Underway)


def test_different_keys_are_built_at_once(store: Store, want: Wanting) -> None:
    store.builds.take(want("a"), SECONDS)
    assert isinstance(store.builds.take(want("b", key="engine/def"), SECONDS), int)


def test_a_lease_that_nobody_keeps_goes_to_another_with_a_higher_fence(store: Store, want: Wanting) -> None:
    # Given
    first = want("a")
    fence = fence_of(store.builds.take(first, 0.2))
    second = want("b")

    # When its time is over
    eventually(lambda: isinstance(store.builds.take(second, SECONDS), int), "the lease ends")
    later = fence_of(store.builds.take(second, SECONDS))

    # Then the first one's words count no more
    assert later > fence
    assert store.builds.keep(first, fence, SECONDS) is False
    assert store.builds.end(first, fence, Ended.FAILED, BROKEN) is False
    assert isinstance(store.builds.take(want("c", since=0), SECONDS), Underway)


def test_a_lease_that_is_kept_lasts(store: Store, want: Wanting) -> None:
    # Given
    wish = want("a")
    fence = fence_of(store.builds.take(wish, 0.3))

    # When
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        assert store.builds.keep(wish, fence, 0.3)

    # Then
    assert isinstance(store.builds.take(want("b"), SECONDS), Underway)


def test_a_lease_ends_with_its_agents_session(store: Store, want: Wanting) -> None:
    # Given an agent that was killed, and started again under its name
    wish = want("a")
    store.builds.take(wish, SECONDS)
    store.agents.take("a", "another session", 600, replaces=wish.session)

    # Then
    assert isinstance(store.builds.take(want("b"), SECONDS), int)


def test_what_is_told_is_heard_with_the_end(store: Store, want: Wanting) -> None:
    # Given
    wish = want("a")
    fence = fence_of(store.builds.take(wish, SECONDS))
    other = store.builds.take(want("b"), SECONDS)
    assert isinstance(other, Underway)

    # When
    store.builds.tell(wish, fence, ["#1 FROM", "", "#2 RUN"])
    store.builds.tell(wish, fence - 1, ["of a build that was overtaken"])
    store.builds.end(wish, fence, Ended.BUILT)

    # Then
    news = store.builds.read(wish.key, other.began, 1.0)
    assert [(entry.lines, entry.ended) for entry in news] == [(["#1 FROM", "", "#2 RUN"], None), ([], Ended.BUILT)]
    assert isinstance(store.builds.take(want("b"), SECONDS), int)


def test_a_failure_is_told_to_those_who_wanted_the_same_before_it(store: Store, want: Wanting) -> None:
    # Given
    builder, early = want("a"), want("b")
    fence = fence_of(store.builds.take(builder, SECONDS))

    # When
    store.builds.end(builder, fence, Ended.FAILED, BROKEN)

    # Then, and whoever comes later may have mended it
    assert store.builds.take(early, SECONDS) == BROKEN
    assert isinstance(store.builds.take(want("c"), SECONDS), int)
    assert isinstance(store.builds.take(early, SECONDS), Underway)


def test_a_build_that_was_left_is_free_at_once(store: Store, want: Wanting) -> None:
    # Given
    builder, early = want("a"), want("b")
    fence = fence_of(store.builds.take(builder, SECONDS))

    # When
    store.builds.end(builder, fence, Ended.LEFT)

    # Then a word of its heartbeat that was on its way does not take it back
    assert store.builds.keep(builder, fence, SECONDS) is False
    assert isinstance(store.builds.take(early, SECONDS), int)


def test_a_lease_that_the_broker_lost_is_kept_unless_another_one_has_it(
    store: Store, want: Wanting, client: Any
) -> None:
    # Given
    wish = want("a")
    fence = fence_of(store.builds.take(wish, SECONDS))

    # When
    client.flushall()
    store.agents.take("a", wish.session, 600)

    # Then
    assert store.builds.keep(wish, fence, SECONDS)
    assert isinstance(store.builds.take(want("b"), SECONDS), Underway)

    # When another one was faster
    client.flushall()
    other = want("b")
    assert fence_of(store.builds.take(other, SECONDS)) > fence

    # Then
    assert store.builds.keep(wish, fence, SECONDS) is False


def test_nothing_of_a_build_is_kept_for_ever(store: Store, want: Wanting, client: Any) -> None:
    # Given
    wish = want("a")
    store.builds.end(wish, fence_of(store.builds.take(wish, SECONDS)), Ended.BUILT)
    # Then
    assert all(0 < client.ttl(key) <= 3600 for key in client.keys("launchyard:build:*"))
