"""What the agents that ask one place of a platform tell each other on the broker."""

from __future__ import annotations

import pytest

from broker_config.connection import TextClient, connect_text
from broker_config.platforms import Hint, Turn
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.platforms import KEPT_SECONDS, MAX_HINTS

PLACE = "sagemaker/aws/123456789012/eu-west-1/training-job"


@pytest.fixture
def client(settings: Settings) -> TextClient:
    return connect_text(settings)


def test_one_agent_lists_in_a_period_and_the_others_wait_for_the_next(store: Store) -> None:
    # When three agents want the list
    turns = [store.platforms.turn(PLACE, 20, 1, alone=False) for _ in range(3)]

    # Then
    assert turns[0] == Turn(True, 0)
    assert [turn.is_mine for turn in turns[1:]] == [False, False]
    assert all(19 < turn.seconds <= 20 for turn in turns[1:])
    assert store.platforms.turn("another place", 20, 1, alone=False) == Turn(True, 0)


def test_those_whom_no_other_list_helps_come_one_after_the_other(store: Store) -> None:
    # Given that an agent has just listed
    store.platforms.turn(PLACE, 20, 1, alone=False)

    # When others need lists of their own
    turns = [store.platforms.turn(PLACE, 20, 1, alone=True) for _ in range(3)]

    # Then
    assert all(turn.is_mine for turn in turns)
    assert [turn.seconds for turn in turns] == [pytest.approx(place, abs=0.5) for place in (1, 2, 3)]


def test_a_list_for_oneself_alone_is_no_turn_for_the_others(store: Store) -> None:
    store.platforms.turn(PLACE, 20, 0, alone=True)
    assert store.platforms.turn(PLACE, 20, 0, alone=False).is_mine


def test_a_pause_is_everybodys_and_the_longest_stands(store: Store) -> None:
    # When two agents were asked to wait
    store.platforms.pause(PLACE, 30)
    store.platforms.pause(PLACE, 3)

    # Then
    assert 29 < store.platforms.hear(PLACE, "").pause_seconds <= 30
    for alone in (True, False):
        turn = store.platforms.turn(PLACE, 1, 1, alone=alone)
        assert not turn.is_mine
        assert turn.seconds > 29


def test_hints_are_heard_once_by_everybody_who_listens(store: Store) -> None:
    # Given two agents that listen, and what was told before
    store.platforms.tell(PLACE, [Hint("job-0", "Training")])
    first, second = store.platforms.hear(PLACE, ""), store.platforms.hear(PLACE, "")
    assert list(first.hints) == []

    # When
    told = [Hint("job-1", "Completed"), Hint("job-2", "Training")]
    store.platforms.tell(PLACE, told)

    # Then
    for heard in (first, second):
        news = store.platforms.hear(PLACE, heard.position)
        assert list(news.hints) == told
        assert list(store.platforms.hear(PLACE, news.position).hints) == []


def test_what_agents_say_of_a_place_is_bounded_and_goes_away(
    store: Store, client: TextClient, settings: Settings
) -> None:
    # When much is told
    store.platforms.turn(PLACE, 20, 1, alone=False)
    store.platforms.pause(PLACE, 1)
    for _ in range(4):
        store.platforms.tell(PLACE, [Hint(f"job-{number}", "Training") for number in range(MAX_HINTS // 2)])

    # Then
    keys = [f"{settings.key_prefix}platform:{PLACE}", f"{settings.key_prefix}platform:{PLACE}:hints"]
    with client.pipeline() as pipe:
        for key in keys:
            pipe.ttl(key)
        pipe.xlen(keys[1])
        *left, length = pipe.execute()
    assert all(0 < seconds <= KEPT_SECONDS for seconds in left)
    assert length < MAX_HINTS * 1.5
