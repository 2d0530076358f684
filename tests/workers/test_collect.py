"""A run is finished after the last line of its log."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from broker_config.errors import TemporaryError
from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Run, RunSpec, new_run_id, now
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.agents import eventually
from workers import collect as collect_module
from workers.collect import Collector, Pace
from workers.targets.protocol import LogChunk, Observation, Phase
from workers.targets.stub import StubTarget

END = Observation(Phase.SUCCEEDED, Reason.EXITED, "ended", 0)


class Talking(StubTarget):
    """A stub whose jobs print three chunks, of which the second fails once."""

    def __init__(self, fails: bool = False) -> None:
        self._fails = fails

    def read_logs(self, name: str, position: str) -> LogChunk:
        number = int(position or 0)
        if number == 1 and self._fails:
            self._fails = False
            raise RuntimeError("the connection was cut")
        return LogChunk([f"line {number}"], str(number + 1), more=True) if number < 3 else LogChunk((), position)


def submitted_run() -> Run:
    run_id = new_run_id()
    spec = RunSpec(
        id=run_id,
        name="test",
        queue=Queue(name="q", resource="stub"),
        queue_revision=1,
        job=Job(source=ImageSource(image="x")),
        priority=Priority.MEDIUM,
        author="tester",
        created_at=now(),
    )
    return Run(
        spec=spec,
        version=1,
        state=State.SUBMITTING,
        since=now(),
        reason=Reason.SUBMITTING,
        submission=f"object-{run_id}",
    )


class Elsewhere(StubTarget):
    """Jobs on a platform that others use too: some are quiet, and the log of others never ends."""

    is_local = False

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.endless: set[str] = set()
        self.requests = 1

    def read_logs(self, name: str, position: str) -> LogChunk:
        self.reads[name] += 1
        if name not in self.endless:
            return LogChunk((), position, requests=self.requests)
        return LogChunk(["a line"], str(self.reads[name]), more=True, requests=self.requests)

    def has_read_all(self, runs: list[Run], times: int = 1) -> bool:
        return all(self.reads[run.submission] >= times for run in runs)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def finished() -> threading.Event:
    return threading.Event()


@pytest.fixture
def collector(store: Store, elsewhere: Elsewhere, finished: threading.Event) -> Iterator[Collector]:
    """One for jobs elsewhere, made when the test has set its pace."""
    collector = Collector(elsewhere, store.logs, lambda run, end: finished.set())
    collector.start()
    yield collector
    collector.stop()


@pytest.fixture
def at_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that was found quiet once is read as seldom as any."""
    monkeypatch.setattr(collect_module, "GROWTH", 1e9)
    monkeypatch.setattr(collect_module, "REMOTE", Pace(longest_seconds=0.1, per_second=20))


def collect(store: Store, target: Talking, run: Run) -> list[list[str]]:
    """End the run at once; returns the lines that were stored when it was finished."""
    seen: list[list[str]] = []
    finished = threading.Event()

    def finish(run: Run, _: Observation) -> None:
        seen.append([line for entry in store.logs.read(run.id) for line in entry.lines])
        finished.set()

    collector = Collector(target, store.logs, finish)
    collector.start()
    collector.attach(run)
    collector.finish(run, END)
    eventually(finished.is_set, "the run is finished")
    collector.stop()
    return seen


def test_the_whole_log_is_stored_before_the_run_is_finished(store: Store) -> None:
    # When
    seen = collect(store, Talking(), submitted_run())

    # Then
    assert seen == [["line 0", "line 1", "line 2"]]


def test_a_fault_in_the_middle_loses_no_line_and_doubles_none(store: Store) -> None:
    # When
    seen = collect(store, Talking(fails=True), submitted_run())

    # Then
    assert seen == [["line 0", "line 1", "line 2"]]


def test_an_adopted_run_is_read_on_from_where_its_stored_log_ends(store: Store) -> None:
    # Given
    run = submitted_run().model_copy(update={"state": State.RUNNING})
    store.logs.append(run.id, "job", ["line 0"], "1")

    # When
    seen = collect(store, Talking(), run)

    # Then
    assert seen == [["line 0", "line 1", "line 2"]]


def test_lines_that_are_being_stored_when_the_job_ends_are_not_stored_again(store: Store) -> None:
    # Given a job whose lines are on their way to the log, which takes a while
    run = submitted_run()
    reading, ended = threading.Event(), threading.Event()

    class Slow(Talking):
        def read_logs(self, name: str, position: str) -> LogChunk:
            chunk = super().read_logs(name, position)
            if position == "2":
                reading.set()
                assert ended.wait(10)
            return chunk

    finished = threading.Event()
    collector = Collector(Slow(), store.logs, lambda run, end: finished.set())
    collector.start()
    collector.attach(run)
    assert reading.wait(10)

    # When
    collector.finish(run, END)
    ended.set()

    # Then
    assert finished.wait(10)
    collector.stop()
    assert [line for entry in store.logs.read(run.id) for line in entry.lines] == ["line 0", "line 1", "line 2"]


def test_a_log_of_which_the_rest_cannot_be_had_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(collect_module, "RETRY_SECONDS", 0.01)

    class Silent(Talking):
        def read_logs(self, name: str, position: str) -> LogChunk:
            if position == "2":
                raise TemporaryError("the node does not answer")
            return super().read_logs(name, position)

    # When
    ((*lines, last),) = collect(store, Silent(), submitted_run())

    # Then
    assert lines == ["line 0", "line 1"]
    assert "cannot be read: the node does not answer" in last


@pytest.mark.usefixtures("at_pace")
def test_quiet_logs_elsewhere_cost_the_same_however_many_there_are(collector: Collector, elsewhere: Elsewhere) -> None:
    # Given sixty that would each be read ten times a second if they were alone
    runs = [submitted_run() for _ in range(60)]
    for run in runs:
        collector.attach(run)
    eventually(lambda: elsewhere.has_read_all(runs), "all are read once")
    # When
    before, began = elsewhere.reads.total(), time.monotonic()
    eventually(lambda: elsewhere.has_read_all(runs, 2), "all are read again")
    # Then
    rate = (elsewhere.reads.total() - before) / (time.monotonic() - began)
    assert rate < 30


@pytest.mark.usefixtures("at_pace")
def test_news_of_a_job_has_its_quiet_log_read_soon(
    collector: Collector, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(collector, "_pace", Pace(longest_seconds=3600, per_second=20))
    run = submitted_run()
    collector.attach(run)
    eventually(lambda: elsewhere.has_read_all([run]), "it is read once")
    # When
    collector.wake(run.id)
    # Then
    eventually(lambda: elsewhere.has_read_all([run], 2), "it is read again")


def test_a_log_that_does_not_end_keeps_no_other_from_being_read(collector: Collector, elsewhere: Elsewhere) -> None:
    # Given
    endless, other = submitted_run(), submitted_run()
    elsewhere.endless.add(endless.submission)
    collector.attach(endless)
    eventually(lambda: elsewhere.has_read_all([endless], 100), "it is being read")
    # When
    collector.attach(other)
    # Then
    eventually(lambda: elsewhere.has_read_all([other], 3), "the other is read")


def test_the_log_of_a_job_that_has_ended_is_read_at_once_whatever_the_others_take(
    collector: Collector, elsewhere: Elsewhere, finished: threading.Event
) -> None:
    # Given others that have taken what a hundred minutes have
    run, other = submitted_run(), submitted_run()
    elsewhere.requests = 100 * 60 * collect_module.REQUESTS_PER_SECOND
    collector.attach(other)
    collector.attach(run)
    eventually(lambda: elsewhere.reads.total() == 1, "one is read")
    # When
    collector.finish(run, END)
    # Then
    assert finished.wait(10)
    assert elsewhere.reads.total() == 2
