"""Events, logs, the feed of both, and wishes: read from a place on, and waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from broker_config.runs import Event, RunId
from broker_config.states import Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from broker_config.store.feed import Place
from broker_config.store.logs import LogEntry
from tests.broker_config.conftest import Hand

RUN = RunId("abcabcabcabc")


def later(seconds: float, action: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def seconds_of(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_events_are_read_from_a_place_on(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)
    (place, _), *_ = store.runs.events(run.id)

    # When
    events = store.runs.events(run.id, place)

    # Then
    assert [event.new for _, event in events] == [State.CLAIMED, State.RUNNING]
    assert store.runs.events(run.id, events[-1][0]) == []


def test_events_tell_what_was_written(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)

    # When
    change = Change(State.FAILED, Reason.OUT_OF_MEMORY, "Killed: 8 GiB were not enough.", "agent@hand")
    ended = store.runs.change(run, change)

    # Then
    assert store.runs.events(run.id)[-1][1] == Event(
        at=ended.since,
        actor="agent@hand",
        old=State.RUNNING,
        new=State.FAILED,
        reason=Reason.OUT_OF_MEMORY,
        text="Killed: 8 GiB were not enough.",
        attempt=1,
    )


def test_a_reader_of_events_waits_for_the_next_one(store: Store, hand: Hand) -> None:
    # Given
    (run,) = hand.enqueue()
    ((place, _),) = store.runs.events(run.id)
    timer = later(0.3, lambda: hand.claim(run))

    # When
    events = store.runs.events(run.id, place, block_seconds=10)
    timer.join(10)

    # Then
    assert [event.new for _, event in events] == [State.CLAIMED]


def test_a_wait_that_is_longer_than_the_connect_timeout_ends_in_time_and_with_nothing(store: Store) -> None:
    assert 5.9 < seconds_of(lambda: store.runs.wishes("0-0", 6)) < 8


def test_a_wait_of_no_time_returns_at_once(store: Store) -> None:
    # Then, though for Redis 0 means for ever
    assert seconds_of(lambda: store.runs.wishes("0-0", 0)) < 1
    assert seconds_of(lambda: store.runs.events(RUN, block_seconds=0)) < 1
    assert seconds_of(lambda: store.logs.read(RUN, block_seconds=0)) < 1
    assert seconds_of(lambda: store.feed.read(RUN, Place(), 0)) < 1


def test_no_wait_is_so_long_that_the_connection_gives_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a shorter longest wait, for the sake of this test
    monkeypatch.setattr("broker_config.store.streams.LONGEST_BLOCK_SECONDS", 0.2)

    # Then
    assert seconds_of(lambda: store.runs.wishes("0-0", 3600)) < 2
    assert seconds_of(lambda: store.runs.events(RUN, block_seconds=3600)) < 2
    assert seconds_of(lambda: store.logs.read(RUN, block_seconds=3600)) < 2
    assert seconds_of(lambda: store.feed.read(RUN, Place(), 3600)) < 2


def test_log_lines_come_back_in_their_batches(store: Store) -> None:
    # Given
    store.logs.append(RUN, "build", ["installing"])
    store.logs.append(RUN, "job", ["epoch 1", "", "ünïcode"], "17")

    # When
    entries = store.logs.read(RUN)

    # Then
    assert [(entry.stream, entry.lines) for entry in entries] == [
        ("build", ["installing"]),
        ("job", ["epoch 1", "", "ünïcode"]),
    ]
    assert store.logs.read(RUN, entries[0].id) == entries[1:]


def test_a_reader_of_logs_waits_for_the_next_line(store: Store) -> None:
    # Given
    timer = later(0.3, lambda: store.logs.append(RUN, "job", ["late"]))

    # When
    entries = store.logs.read(RUN, block_seconds=10)
    timer.join(10)

    # Then
    assert [entry.lines for entry in entries] == [["late"]]


def test_the_position_at_the_target_is_that_of_the_jobs_newest_batch(store: Store) -> None:
    # Given
    empty = store.logs.position(RUN)
    store.logs.append(RUN, "job", ["one"], "4")
    store.logs.append(RUN, "job", ["two"], "8")
    store.logs.append(RUN, "build", ["late"])

    # Then
    assert (empty, store.logs.position(RUN)) == ("", "8")


def test_lines_of_the_same_place_are_added_once(store: Store) -> None:
    # Given
    first = store.logs.append_from("", RUN, ["one"], "4")

    # When the same call comes again, and one of somebody who reads on
    again = store.logs.append_from("", RUN, ["one"], "4")
    late = store.logs.append_from("", RUN, ["one", "two"], "8")
    onward = store.logs.append_from("4", RUN, ["two"], "8")

    # Then
    assert (first, again, late, onward) == ("4", "4", "4", "8")
    assert [entry.lines for entry in store.logs.read(RUN)] == [["one"], ["two"]]


def test_many_lines_become_batches_each_of_which_knows_how_many_came_before(store: Store) -> None:
    # Given
    long, longer = "x" * 60_000, "y" * 100_000
    # When
    store.logs.append_from("", RUN, ["one", "", long, long, longer, "last"], "4")
    store.logs.append_from("4", RUN, ["next"], "8")
    # Then
    entries = store.logs.read(RUN)
    assert [entry.lines for entry in entries] == [["one", "", long], [long], [longer], ["last"], ["next"]]
    assert [entry.before for entry in entries] == [0, 3, 4, 5, 6]
    assert store.logs.position(RUN) == "8"
    # And a position of the past adds nothing
    assert store.logs.append_from("", RUN, ["one"], "4") == "8"


def test_old_batches_make_room_for_new_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("broker_config.store.logs.MAX_ENTRIES", 200)

    # When
    for number in range(1000):
        store.logs.append(RUN, "job", [str(number)])
    entries = store.logs.read(RUN)

    # Then the broker drops whole nodes of a stream, so some more are left
    assert 200 <= len(entries) < 500
    assert entries[-1].lines == ["999"]


def test_the_feed_tells_events_and_lines_in_the_order_in_which_they_were_written(store: Store, hand: Hand) -> None:
    # Given
    (run,) = hand.enqueue()
    # Entries of one millisecond in two streams have no order.
    time.sleep(0.005)
    store.logs.append(run.id, "build", ["installing"])
    time.sleep(0.005)
    claimed = hand.claim(run)
    time.sleep(0.005)
    store.logs.append(run.id, "job", ["epoch 1"])

    # When
    news = store.feed.read(run.id, Place())

    # Then
    told = [item.lines if isinstance(item, LogEntry) else item.new for item in news.items]
    assert told == [State.QUEUED, ["installing"], State.CLAIMED, ["epoch 1"]]
    assert store.feed.read(run.id, news.place).items == []
    assert claimed.state is State.CLAIMED


@pytest.mark.parametrize("what", ["event", "line"])
def test_the_feed_waits_for_whichever_comes_first(store: Store, hand: Hand, what: str) -> None:
    # Given
    (run,) = hand.enqueue()
    place = store.feed.read(run.id, Place()).place
    actions = {"event": lambda: hand.claim(run), "line": lambda: store.logs.append(run.id, "job", ["late"])}
    timer = later(0.3, actions[what])

    # When
    news = store.feed.read(run.id, place, block_seconds=10)
    timer.join(10)

    # Then
    assert len(news.items) == 1
    assert isinstance(news.items[0], LogEntry) == (what == "line")


def test_a_wish_wakes_whoever_listens(store: Store, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)
    position = store.runs.wishes_position()
    timer = later(0.3, lambda: store.runs.request_cancel(run, "bob"))

    # When
    after, ids = store.runs.wishes(position, 10)
    timer.join(10)

    # Then
    assert ids == [run.id]
    assert store.runs.wishes(after, 0.01) == (after, [])
    assert store.runs.wishes_position() == after


def test_before_the_first_wish_there_is_a_position_to_listen_from(store: Store) -> None:
    assert store.runs.wishes_position() == "0-0"
