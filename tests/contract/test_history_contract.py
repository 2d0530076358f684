"""What every history promises, in the words of `broker_config/history/protocol.py`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import NotFound
from broker_config.history import open_history, packed
from broker_config.history.protocol import History, Kept
from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Event, Run, RunId, RunSpec
from broker_config.states import Reason, State
from broker_config.store.logs import LogEntry
from broker_config.store.runs import cursor_of
from broker_config.wanted import Wanted
from tests.contract.histories import HISTORIES, postgresql_server

__all__ = ["postgresql_server"]

DAY = datetime(2026, 5, 1, tzinfo=UTC)


def kept(number: int, state: State = State.SUCCEEDED, log: list[LogEntry] | None = None, **spec: Any) -> Kept:
    """A finished run; its number says when it was launched, in hours."""
    at = DAY + timedelta(hours=number)
    queue = Queue(name=spec.pop("queue", "gpu"), entity=spec.pop("entity", "team-a"), resource="stub")
    fields = {
        "id": RunId(f"abc{'bcdefghijk'[number % 10]}aaaaaaa{'bcdefghijk'[number // 10 % 10]}"),
        "name": f"train-{number}",
        "queue": queue,
        "queue_revision": 3,
        "job": Job(source=ImageSource(image="team/train:1"), args=("--lr", "0.1")),
        "priority": Priority.MEDIUM,
        "author": "alice",
        "created_at": at,
        **spec,
    }
    run = Run(
        spec=RunSpec(**fields),
        version=7,
        state=state,
        since=at,
        reason=Reason.EXITED,
        text="It said “bye” ☃.",
        place=int(at.timestamp() * 1_000_000),
        ended_at=at + timedelta(minutes=5),
        exit_code=0,
    )
    event = Event(at=at, actor="alice", old=None, new=State.QUEUED, reason=Reason.ENQUEUED, text="Launched.")
    return Kept(run, [("1-0", event), ("2-0", event)], [*packed.pack_log(log or [])])


@pytest.fixture(params=HISTORIES)
def url(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    with HISTORIES[request.param](home, request) as url:
        yield url


@pytest.fixture
def history(url: str) -> History:
    history = open_history(url)
    history.check()
    return history


def ids(runs: list[Run]) -> list[str]:
    return [run.id for run in runs]


def test_a_run_comes_back_as_it_was_with_its_spec_and_its_events(history: History) -> None:
    # Given
    one = kept(1, labels={"model": "large"}, project="vision")
    # When
    history.write([one])
    # Then
    found = history.get(one.run.id)
    assert found.model_copy(update={"in_history_since": None}) == one.run
    assert found.in_history_since is not None
    assert history.events(one.run.id) == one.events


def test_what_is_written_twice_is_there_once(history: History) -> None:
    # Given
    one, log = kept(1), [LogEntry("5-1", "job", ["epoch 1"], 0)]
    # When
    for _ in range(2):
        history.write([kept(1, log=log), kept(2)])
    # Then
    assert len(history.page(Wanted(), "", 10)) == 2
    assert history.amount().runs == 2
    assert history.log(one.run.id, "0-0") == log
    assert history.log(one.run.id, "5-1") == []


def test_a_long_log_is_read_part_by_part_from_any_place(history: History) -> None:
    # Given
    line = "x" * 65_000
    log = [LogEntry(f"{1000 + n}-{n % 3}", "job", [f"{n} {line}"], n) for n in range(100)]
    one = kept(1, log=log)
    history.write([one])
    # When
    found: list[LogEntry] = []
    while more := history.log(one.run.id, found[-1].id if found else "0-0"):
        found += more
    # Then
    assert len(one.log) > 1
    assert found == log
    assert history.log(one.run.id, "1050-2")[0] == log[51]


def test_a_position_counts_as_a_number(history: History) -> None:
    # Given
    log = [
        LogEntry("9-9", "job", ["first"], 0),
        LogEntry("10-1", "job", ["second"], 1),
        LogEntry("10-10", "job", ["third"], 2),
    ]
    history.write([kept(1, log=log)])
    # Then
    assert history.log(kept(1).run.id, "9-9") == log[1:]
    assert history.log(kept(1).run.id, "10-2") == log[2:]


def test_runs_are_listed_newest_first_page_by_page(history: History) -> None:
    # Given
    runs = [kept(number) for number in range(7)]
    history.write(runs[3:])
    history.write(runs[:3])
    # When
    pages, cursor = [], ""
    while page := history.page(Wanted(), cursor, 3):
        pages.append(ids(page))
        cursor = cursor_of(page[-1])
    # Then
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [run_id for page in pages for run_id in page] == [one.run.id for one in reversed(runs)]


def test_runs_of_one_moment_are_told_apart_by_their_ids(history: History) -> None:
    # Given
    same = [kept(1)._replace(run=kept(1).run.model_copy(update={"spec": kept(n).run.spec})) for n in (1, 2, 3)]
    history.write(same)
    # When
    first = history.page(Wanted(), "", 2)
    rest = history.page(Wanted(), cursor_of(first[-1]), 2)
    # Then
    assert ids(first) + ids(rest) == sorted((one.run.id for one in same), reverse=True)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(queue="team-a/cpu"), [2]),
        (Wanted(entity="team-b"), [3]),
        (Wanted(states=(State.FAILED, State.CANCELLED)), [5, 4]),
        (Wanted(author="bob"), [6]),
        (Wanted(name="ain-7"), [7]),
        (Wanted(name="a%'"), []),
        (Wanted(labels={"model": "large"}), [9, 8]),
        (Wanted(labels={"model": "large", "a.b-c": "it's"}), [9]),
        (Wanted(since=DAY + timedelta(hours=8)), [9, 8]),
        (Wanted(until=DAY + timedelta(hours=2)), [1]),
        (Wanted(author="alice", states=(State.SUCCEEDED,), since=DAY, until=DAY + timedelta(hours=4)), [3, 2, 1]),
    ],
)
def test_only_what_is_wanted_is_listed(history: History, wanted: Wanted, numbers: list[int]) -> None:
    # Given
    history.write(
        [
            kept(1),
            kept(2, queue="cpu"),
            kept(3, entity="team-b"),
            kept(4, State.FAILED),
            kept(5, State.CANCELLED),
            kept(6, author="bob"),
            kept(7),
            kept(8, labels={"model": "large"}),
            kept(9, labels={"model": "large", "a.b-c": "it's"}),
        ]
    )
    # Then
    assert ids(history.page(wanted, "", 10)) == [kept(number).run.id for number in numbers]
    assert all(wanted.has(run) for run in history.page(wanted, "", 10))


def test_a_run_is_found_by_the_beginning_of_its_id(history: History) -> None:
    # Given
    history.write([kept(1), kept(2), kept(12)])
    # Then
    assert history.ids("abcc", 5) == [kept(1).run.id]
    assert history.ids("abcd", 5) == sorted([kept(2).run.id, kept(12).run.id])
    assert history.ids("abcd", 1) == history.ids("abcd", 5)[:1]
    assert history.ids("zz", 5) == []


def test_of_a_run_that_is_not_there_there_is_nothing(history: History) -> None:
    with pytest.raises(NotFound, match="'nobodysrun22' is not in the history"):
        history.get("nobodysrun22")
    assert (history.events("nobodysrun22"), history.log("nobodysrun22", "0-0")) == ([], [])
    assert history.amount().runs == 0
    assert (history.amount().oldest, history.amount().newest) == (None, None)


def test_it_tells_how_much_it_holds(history: History) -> None:
    # When
    history.write([kept(1, log=[LogEntry("1-0", "job", ["line"], 0)]), kept(5)])
    # Then
    amount = history.amount()
    assert (amount.runs, amount.oldest, amount.newest) == (2, kept(1).run.spec.created_at, kept(5).run.spec.created_at)
    assert amount.size_bytes > 0


def test_several_write_the_same_runs_at_once(url: str, history: History) -> None:
    # Given
    runs = [kept(number, log=[LogEntry("1-0", "job", ["line"], 0)]) for number in range(40)]

    def write(start: int) -> None:
        # In different orders, as agents whose leases ran out would.
        for place in range(0, 40, 10):
            history.write(runs[(start + place) % 40 :][:10])

    # When
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (0, 10, 20, 30)))
    # Then
    assert history.amount().runs == 40
    assert history.log(runs[17].run.id, "0-0") == [LogEntry("1-0", "job", ["line"], 0)]


def test_what_it_needs_is_made_once_however_many_ask(url: str) -> None:
    # When
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: open_history(url).check(), range(8)))
    # Then
    assert open_history(url).amount().runs == 0
