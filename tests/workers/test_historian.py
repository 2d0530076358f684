"""Finished runs go from the broker to the history: all of them, once, and nothing live."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import ConfigError, TemporaryError
from broker_config.history import open_history
from broker_config.history.protocol import History, Kept
from broker_config.history.stub import StubHistory
from broker_config.queues import QueueRecord
from broker_config.settings import Settings, environment_for
from broker_config.states import State
from broker_config.store import Store
from broker_config.wanted import Wanted
from tests.broker_config.conftest import Hand
from workers import historian as historian_module
from workers.historian import Historian

LIVE = (State.QUEUED, State.CLAIMED, State.RUNNING)


@pytest.fixture
def hand(store: Store, queue: QueueRecord) -> Hand:
    return Hand(store, queue)


@pytest.fixture
def history(home: Path) -> History:
    return open_history(f"sqlite://{home}/history.db")


def finish(store: Store, hand: Hand, count: int) -> list[str]:
    """Finished runs that are due, each with a log."""
    ids = []
    for number in range(count):
        run = hand.run_in(State.RUNNING)
        store.logs.append(run.id, "job", [f"line of {number}"])
        hand.move(run, (State.SUCCEEDED, State.FAILED)[number % 2])
        ids.append(run.id)
    make_old(store, ids)
    return ids


def make_old(store: Store, ids: Sequence[str]) -> None:
    client: Any = store._client
    client.zadd("launchyard:ended", {run_id: 1000 + number for number, run_id in enumerate(ids)})


def keep(store: Store, history: History, agent: str = "agent@a") -> None:
    one = Historian(store, history, agent)
    one.prepare()
    one.keep()


class Faulty(StubHistory):
    """A history that cannot be written for a while."""

    error: TemporaryError | ConfigError | None = None

    def write(self, runs: Sequence[Kept]) -> None:
        if self.error:
            raise self.error
        super().write(runs)


def test_what_is_due_is_written_with_all_that_there_is_and_leaves_the_broker(
    store: Store, hand: Hand, history: History
) -> None:
    # Given
    ids = finish(store, hand, 5)
    fresh, live = hand.run_in(State.SUCCEEDED), [hand.run_in(state) for state in LIVE]
    records = store.runs.get_many(ids)
    events = {run_id: store.runs.events(run_id) for run_id in ids}
    log = {run_id: store.logs.read(run_id) for run_id in ids}
    # When
    keep(store, history)
    # Then
    found = [history.get(run_id).model_copy(update={"in_history_since": None}) for run_id in ids]
    assert found == records
    assert {run_id: history.events(run_id) for run_id in ids} == events
    assert {run_id: history.log(run_id, "0-0") for run_id in ids} == log
    assert [run.id for run in store.runs.newest()] == [run.id for run in [*reversed(live), fresh]]
    assert history.amount().runs == 5


def test_beyond_the_most_that_stay_the_oldest_are_written(
    settings: Settings, store: Store, hand: Hand, history: History
) -> None:
    # Given
    live = [hand.run_in(state).id for state in LIVE]
    ended = [hand.run_in(State.SUCCEEDED).id for _ in range(5)]
    # When
    with closing(Store(settings.model_copy(update={"retention_runs": 2}))) as counting:
        keep(counting, history)
    # Then
    assert {run.id for run in history.page(Wanted(), "", 10)} == set(ended[:3])
    assert {run.id for run in store.runs.newest()} == {*live, *ended[3:]}


def test_what_cannot_be_written_stays_and_is_complained_of(
    store: Store, hand: Hand, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    ids, history = finish(store, hand, 3), Faulty("stub://faulty")
    history.error = TemporaryError("the history stub://faulty cannot be used now: no route")
    # When
    keep(store, history)
    # Then
    assert {run.id for run in store.runs.newest()} == set(ids)
    assert "history-retry url=stub://faulty waiting=3" in caplog.text
    keeping = store.finished.keeping()
    assert keeping
    assert keeping.failing_since
    assert "no route" in keeping.error
    # When it can be written again
    history.error = None
    keep(store, history)
    # Then
    assert list(store.runs.newest()) == []
    assert history.amount().runs == 3
    keeping = store.finished.keeping()
    assert keeping
    assert keeping.failing_since is None


def test_what_had_expired_before_there_was_a_history_leaves_no_rest(store: Store, hand: Hand, history: History) -> None:
    # Given
    (gone,) = finish(store, hand, 1)
    client: Any = store._client
    client.delete(f"launchyard:run:{gone}", f"launchyard:run:{gone}:spec")
    # When
    keep(store, history)
    # Then
    assert (store.finished.due(), history.amount().runs) == ([], 0)
    assert list(client.scan_iter(f"*{gone}*")) == []


def test_several_agents_at_once_lose_and_double_nothing(
    settings: Settings, store: Store, hand: Hand, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given agents whose leases run out at once, so that all write
    monkeypatch.setattr(historian_module, "RUNS_OF_A_WRITE", 7)
    monkeypatch.setattr("broker_config.store.finished.Finished.take_keeping", lambda *_: True)
    ids, live = finish(store, hand, 60), [hand.run_in(state).id for state in LIVE]

    def work(number: int) -> None:
        with closing(Store(settings)) as own:
            keep(own, history, f"agent@{number}")

    # When
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    # Then
    assert sorted(run.id for run in history.page(Wanted(), "", 100)) == sorted(ids)
    assert {run.id for run in store.runs.newest()} == set(live)


KILLED = """
import os, signal, sys
from broker_config.history import open_history
from broker_config.settings import load_settings
from broker_config.store import Store
from broker_config.store.finished import Finished
from workers import historian

historian.RUNS_OF_A_WRITE = 4
forget, left = Finished.forget, [int(sys.argv[1])]

def forget_or_die(self, versions):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return forget(self, versions)

Finished.forget = forget_or_die
settings = load_settings()
one = historian.Historian(Store(settings), open_history(settings.history), "agent@killed")
one.prepare()
one.keep()
"""


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_kill_between_the_write_and_the_drop_loses_and_doubles_nothing(
    settings: Settings, store: Store, hand: Hand, history: History, batches: int
) -> None:
    # Given
    ids, live = finish(store, hand, 12), [hand.run_in(state).id for state in LIVE]
    environment = environment_for(settings.model_copy(update={"history": history.url}))
    # When
    killed = subprocess.run([sys.executable, "-c", KILLED, str(batches)], env=environment, timeout=60, check=False)
    # Then the batch that was written is on both sides
    assert killed.returncode == -signal.SIGKILL
    assert history.amount().runs == 4 * (batches + 1)
    assert len(list(store.runs.newest())) == 12 + len(live) - 4 * batches
    # When another agent goes on, after the lease of the one that died
    store.finished.release_keeping("agent@killed")
    keep(store, history, "agent@b")
    # Then
    assert sorted(run.id for run in history.page(Wanted(), "", 100)) == sorted(ids)
    assert {run.id for run in store.runs.newest()} == set(live)


def test_a_wrong_place_is_told_at_the_start(store: Store, home: Path) -> None:
    with pytest.raises(ConfigError, match=r"folder .*/nowhere is not there; create it, or correct LAUNCHYARD_HISTORY"):
        Historian(store, open_history(f"sqlite://{home}/nowhere/history.db"), "agent@a").prepare()


def test_a_long_log_is_kept_whole(store: Store, hand: Hand, history: History) -> None:
    # Given
    run = hand.run_in(State.RUNNING)
    for number in range(1100):
        store.logs.append(run.id, "job", [f"{number} {'x' * 3000}"])
    hand.move(run, State.SUCCEEDED)
    make_old(store, [run.id])
    # When
    keep(store, history)
    # Then
    lines: list[str] = []
    position = "0-0"
    while entries := history.log(run.id, position):
        position = entries[-1].id
        lines += [line.partition(" ")[0] for entry in entries for line in entry.lines]
    assert lines == [str(number) for number in range(1100)]
