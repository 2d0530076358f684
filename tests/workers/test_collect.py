"""A run is finished after the last line of its log."""

from __future__ import annotations

import threading

import pytest

from broker_config.errors import TemporaryError
from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Reason, Run, RunSpec, State, new_run_id, now
from broker_config.store import Store
from tests.agents import eventually
from workers import collect as collect_module
from workers.collect import Collector
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
    monkeypatch.setattr(collect_module, "LONGEST_PERIOD_SECONDS", 0.01)

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
