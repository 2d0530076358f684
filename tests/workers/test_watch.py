"""A target that gives no answer, and one of which only a part does."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from broker_config.jobs import Job
from broker_config.queues import QueueRecord
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from tests.agents import eventually
from tests.broker_config.conftest import JOB, MAX_BYTES, Hand, launch_of, spec_of
from workers import watch
from workers.collect import Collector
from workers.record import Recorder
from workers.targets.protocol import Observation, Phase, Unanswered
from workers.targets.stub import StubTarget
from workers.watch import Watcher

RUNNING = Observation(Phase.RUNNING, Reason.RUNNING, "The job is running.")
ENDED = Observation(Phase.FAILED, Reason.EXITED, "The job ended.", 3, FailureClass.USER)

QUIET_RUNS = 100
BYTES_OF_A_QUIET_RUN = 5000
"""Whole, one with that many settings takes 40,000 and more."""


class Torn(StubTarget):
    """Knows what a test says; of what is silent it knows nothing."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.seen: dict[str, Observation] = {}
        self.silent: set[str] = set()
        self.changed: Callable[[str | None], None] = lambda _: None

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        known = {name: seen for name, seen in self.seen.items() if name in names and name not in self.silent}
        if self.silent.issuperset(names):
            raise TemporaryError("nobody answers")
        if here := self.silent & {*names}:
            raise Unanswered(known, dict.fromkeys(here, "one cluster does not answer"))
        return known

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self.changed = changed
        stop.wait()


class Followed:
    """Runs that a watcher follows, and how it saw them end."""

    def __init__(self, store: Store, hand: Hand, target: Torn) -> None:
        self.hand = hand
        self.target = target
        self.ends: dict[str, Observation] = {}
        recorder = Recorder(store.runs, hand.name, hand.fence)
        self.collector = Collector(target, store.logs, lambda run, seen: self.ends.setdefault(run.id, seen) and None)
        self.watcher = Watcher(target, recorder, self.collector, lambda _: None)
        self.collector.start()
        self.watcher.start()

    def run(self, seen: Observation = RUNNING) -> Run:
        """A run whose job runs, or is where it is seen to be."""
        claimed = self.hand.claim(self.hand.enqueue()[0])
        name = claimed.object_name
        self.target.seen[name] = seen
        run = self.hand.move(claimed, State.SUBMITTING, submission=name)
        self.watcher.attach(run)
        eventually(lambda: self.now(run).text == seen.text, "it is seen")
        return run

    def see(self, run: Run, seen: Observation) -> None:
        """From now on."""
        self.target.seen[run.object_name] = seen
        self.target.changed(run.object_name)

    def texts(self, run: Run) -> list[str]:
        """All that was told of it, oldest first."""
        return [event.text for _, event in self.hand.store.runs.events(run.id)]

    def now(self, run: Run) -> Run:
        return self.hand.store.runs.get(run.id)

    def stop(self) -> None:
        self.watcher.stop()
        self.collector.stop()


@pytest.fixture
def followed(store: Store, hand: Hand, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    monkeypatch.setattr(watch, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 0.2)
    made = Followed(store, hand, Torn(home))
    yield made
    made.stop()


def test_a_silence_is_told_while_it_lasts_and_changes_no_state(followed: Followed) -> None:
    # Given
    run = followed.run()
    # When
    followed.target.silent = {run.object_name}
    followed.target.changed(None)
    # Then
    eventually(lambda: followed.now(run).reason is Reason.TARGET_UNAVAILABLE, "the silence is told")
    assert followed.now(run).state is State.RUNNING
    assert "nobody answers" in followed.now(run).text
    # When
    followed.target.silent = set()
    # Then
    eventually(lambda: followed.now(run).reason is Reason.RUNNING, "the silence is over")


def test_a_short_silence_is_no_news(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 600)
    run = followed.run()
    # When an end comes while nothing is answered
    followed.target.silent = {run.object_name}
    followed.target.changed(None)
    followed.target.seen[run.object_name] = ENDED
    followed.target.silent = set()
    # Then
    eventually(lambda: followed.ends.get(run.id) == ENDED, "the end is seen")
    events = [event.reason for _, event in followed.hand.store.runs.events(run.id)]
    assert Reason.TARGET_UNAVAILABLE not in events


def test_a_part_of_a_target_that_is_silent_holds_up_no_run_of_another_part(followed: Followed) -> None:
    # Given
    silent, other = followed.run(), followed.run()
    followed.target.silent = {silent.object_name}
    followed.target.changed(None)
    eventually(lambda: followed.now(silent).reason is Reason.TARGET_UNAVAILABLE, "the silence is told")
    # When
    followed.target.seen[other.object_name] = ENDED
    followed.target.changed(other.object_name)
    # Then
    eventually(lambda: other.id in followed.ends, "the end is seen")
    assert silent.id not in followed.ends


def test_a_wish_to_cancel_is_told_also_while_the_target_is_silent(followed: Followed) -> None:
    # Given two runs, of which one is to be cancelled
    run, other = followed.run(), followed.run()
    followed.hand.store.runs.request_cancel(followed.now(run), "alice")
    # When
    followed.target.silent = {run.object_name, other.object_name}
    followed.target.changed(None)
    eventually(lambda: followed.now(other).reason is Reason.TARGET_UNAVAILABLE, "the silence is told")
    # Then
    assert followed.now(run).reason is Reason.CANCEL_REQUESTED


def waits(free: int) -> Observation:
    return Observation(Phase.STARTING, Reason.UNSCHEDULABLE, f"It waits for 4 GPUs: {free} of 8 are free.")


def test_other_numbers_for_the_same_reason_are_told_after_a_while(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(watch, "FIRST_REPEAT_SECONDS", 0.2)
    run = followed.run(waits(2))
    # When
    followed.target.seen[run.object_name] = waits(3)

    # Then
    def is_told() -> bool:
        followed.target.changed(run.object_name)
        return followed.now(run).text == waits(3).text

    eventually(is_told, "the numbers are told")


def test_numbers_that_change_at_once_are_no_news(followed: Followed) -> None:
    # Given
    run = followed.run(waits(2))
    # When
    for free in (1, 3, 0):
        followed.see(run, waits(free))
    followed.see(run, RUNNING)
    eventually(lambda: followed.now(run).state is State.RUNNING, "it runs")
    # Then
    assert [text for text in followed.texts(run) if "GPUs" in text] == [waits(2).text]


def test_a_run_that_does_nothing_is_kept_in_few_bytes(settings: Settings, queue: QueueRecord) -> None:
    # In a process of its own: what other tests have left running takes memory too.
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        process.submit(keep_quiet_runs, settings, queue).result(90.0)


def keep_quiet_runs(settings: Settings, queue: QueueRecord) -> None:
    # Given
    store = Store(settings)
    followed = Followed(store, Hand(store, queue), Torn(settings.home))
    env = {f"SETTING_{number}": "value " * 8 for number in range(200)}
    launch = launch_of(queue).model_copy(update={"job": Job(source=JOB.source, env=env)})
    pairs = [(spec_of(queue, launch), launch) for _ in range(QUIET_RUNS)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    # When
    for run in store.runs.get_many(store.runs.enqueue(queue, pairs, MAX_BYTES)):
        claimed = followed.hand.claim(run)
        followed.target.seen[run.object_name] = RUNNING
        followed.watcher.attach(followed.hand.move(claimed, State.SUBMITTING, submission=run.object_name))
    del run, claimed

    # Then after some looks that bring no news
    def is_small() -> bool:
        followed.target.changed(None)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before < QUIET_RUNS * BYTES_OF_A_QUIET_RUN

    eventually(is_small, "what is kept of the runs is little")
    followed.stop()
