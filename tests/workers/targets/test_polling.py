"""How often a platform is asked for all jobs of a place, and by whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker_config.errors import TemporaryError
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds, Pace
from workers.targets.polling import Poll


def test_periods_grow_while_nothing_changes_and_news_makes_them_short_again() -> None:
    pace = Pace(Bounds(fastest=1, slowest=10))
    periods = []
    for _ in range(10):
        pace.answered(with_news=False)
        periods.append(round(pace.seconds_left, 1))
    assert periods == sorted(periods)
    assert (periods[0], periods[-1]) == (1.5, 10)

    pace.answered(with_news=True)
    assert pace.seconds_left == pytest.approx(1, abs=0.1)


def test_pauses_after_errors_grow_up_to_a_bound_and_differ() -> None:
    # When several agents are throttled equally often
    pauses = []
    for _ in range(20):
        pace = Pace(Bounds(fastest=1, longest_pause=30))
        for _ in range(8):
            pace.failed()
        pauses.append(pace.seconds_left)

    # Then
    assert all(29.9 <= pause <= 45.1 for pause in pauses)
    assert len({round(pause, 1) for pause in pauses}) > 5


def test_something_that_was_begun_makes_no_pause_shorter() -> None:
    pace = Pace(Bounds(fastest=1))
    pace.failed(hint_seconds=20)
    pace.hurry()
    assert pace.is_pausing
    assert pace.seconds_left > 19


def test_many_who_want_to_know_the_same_ask_once() -> None:
    # Given eight threads that lack an answer
    asked: list[int] = []
    known = threading.Event()
    poll = Poll("a place", lambda: (), lambda name: None, Bounds())

    def find() -> Sequence[str]:
        asked.append(1)
        time.sleep(0.05)
        known.set()
        return ["job"]

    # When all of them ask
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(poll.ask, lambda: not known.is_set(), find) for _ in range(8)]:
            done.result(10)

    # Then
    assert len(asked) == 1


def test_what_a_look_expects_soon_makes_the_next_one_soon() -> None:
    # Given a place that is asked seldom by now, and an end that is not to be told yet
    looks: list[float] = []

    def look() -> Sequence[str]:
        looks.append(time.monotonic())
        if len(looks) == 3:
            poll.hurry()
        return ()

    poll = Poll("a place", look, lambda name: None, Bounds(fastest=0.2, slowest=30))
    poll.follow()

    # Then
    eventually(lambda: len(looks) >= 4)
    poll.stop()
    assert looks[3] - looks[2] < 0.2 * 1.5**2


def test_an_answer_that_is_too_old_is_none() -> None:
    # Given a platform that answered once, and then not
    poll = Poll("a place", lambda: (), lambda name: None, Bounds(stale=0.2))
    poll.ask(lambda: True, lambda: ["job"])

    def fail() -> Sequence[str]:
        raise TemporaryError("nobody is there")

    with pytest.raises(TemporaryError, match="nobody is there"):
        poll.ask(lambda: True, fail)

    # Then what it said is good for a while
    poll.expect_answer()
    time.sleep(0.25)
    with pytest.raises(TemporaryError, match="nobody is there"):
        poll.expect_answer()
