"""Lines of jobs at SageMaker: all streams, none twice, none left out, and asked for only where there may be some."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import TemporaryError
from tests.clouds.faults import Fault
from tests.clouds.sagemaker import client, shared_cloud
from tests.workers.targets.sagemaker_lab import QUICK, SageMakerLab
from tests.workers.targets.watching import followed
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Phase, Target
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.logs import Line, Place

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> SageMakerLab:
    cloud = shared_cloud()
    cloud.sagemaker.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return SageMakerLab(home, cloud.sagemaker)


class Streams:
    """The log group, written to by a test with times of its own."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._logs = client(variables, "logs")
        self._made: set[str] = set()

    def put(self, name: str, instance: str, *events: tuple[int, str]) -> None:
        stream = f"{Handle.parse(name).name}/{instance}"
        if not self._made and not self._logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            self._logs.create_log_group(logGroupName=GROUP)
        if stream not in self._made:
            self._logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
            self._made.add(stream)
        told = [{"timestamp": at, "message": text} for at, text in events]
        self._logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=told)


@pytest.fixture
def streams(lab: SageMakerLab) -> Streams:
    return Streams(shared_cloud().variables)


def read_all(target: Target, name: str, position: str = "") -> tuple[list[str], str]:
    lines: list[str] = []
    for _ in range(50):
        chunk = target.read_logs(name, position)
        lines += chunk.lines
        position = chunk.position
        if not chunk.more:
            return lines, position
    raise AssertionError("there is always more")


def now_ms() -> int:
    return int(time.time() * 1000)


def test_each_line_says_of_which_instance_it_is_where_there_are_several(lab: SageMakerLab, streams: Streams) -> None:
    # Given
    name, job = lab.submit()
    job.move("Training")
    at = now_ms()
    streams.put(name, "algo-1-1700000000", (at, "a1"), (at + 1, "a2"))
    streams.put(name, "algo-2-1700000001", (at, "b1"))

    # Then
    lines, _ = read_all(lab.target, name)
    assert lines == ["[algo-1] a1", "[algo-1] a2", "[algo-2] b1"]


def test_lines_of_the_same_moment_come_once_each(lab: SageMakerLab, streams: Streams) -> None:
    # Given
    name, job = lab.submit()
    job.move("Training")
    at = now_ms()
    streams.put(name, "algo-1-1700000000", (at, "1"), (at, "2"))
    first, position = read_all(lab.target, name)

    # When more of that moment come, and another agent reads on
    streams.put(name, "algo-1-1700000000", (at, "3"), (at + 1, "4"))
    second, _ = read_all(lab.another_agent(), name, position)

    # Then
    assert (first, second) == (["1", "2"], ["3", "4"])


def test_a_stream_that_begins_later_is_found(
    lab: SageMakerLab, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("workers.targets.sagemaker.logs.STREAMS_SECONDS", 0.1)
    name, job = lab.submit()
    job.move("Training")
    at = now_ms()
    streams.put(name, "algo-1-1700000000", (at, "first"))
    _, position = read_all(lab.target, name)

    # When SageMaker has started the job again after an interruption
    streams.put(name, "algo-1-1700009999", (at + 5, "again"))

    # Then
    def found() -> bool:
        lines, _ = read_all(lab.target, name, position)
        return lines == ["[algo-1] again"]

    eventually(found)


def test_more_lines_than_one_answer_holds_come_all(
    lab: SageMakerLab, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an ended job, and more lines of one moment than fit into an answer
    name, job = lab.submit()
    job.move("Training")
    at = now_ms()
    for start in range(0, 12_000, 4_000):
        streams.put(name, "algo-1-1700000000", *((at, f"{number}") for number in range(start, start + 4_000)))
    job.move("Completed")
    eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.SUCCEEDED)

    # Then
    lines, _ = read_all(lab.target, name)
    assert lines == [str(number) for number in range(12_000)]


def test_nothing_is_asked_for_before_there_is_a_container(lab: SageMakerLab) -> None:
    # Given a job that waits
    name, job = lab.submit()
    job.move("Pending")

    # Then
    assert lab.target.read_logs(name, "").requests == 0
    job.move("Training")
    eventually(lambda: lab.target.read_logs(name, "").requests == 1)


def test_a_quiet_log_costs_one_request_while_its_streams_are_known(lab: SageMakerLab, streams: Streams) -> None:
    # Given
    name, job = lab.submit()
    job.move("Training")
    streams.put(name, "algo-1-1700000000", (now_ms(), "hello"))
    chunk = lab.target.read_logs(name, "")
    assert (chunk.lines, chunk.more) == (["hello"], False)

    # Then
    assert lab.target.read_logs(name, chunk.position).requests == 1


def test_an_earlier_job_of_that_name_has_no_lines_here(lab: SageMakerLab, streams: Streams) -> None:
    # Given streams of a job that somebody has deleted, and a job that was made after them
    request = lab.request()
    streams.put(request.name, "algo-1-1600000000", (now_ms(), "old"))
    lab.target.submit(request)
    job = lab.job(request.name)
    job.age(-60)
    job.move("Training")

    # Then
    assert read_all(lab.target, request.name)[0] == []


def test_an_end_is_told_when_the_last_lines_have_had_time_to_come(lab: SageMakerLab) -> None:
    # Given
    target = lab.another_agent(Bounds(fastest=0.1, slowest=0.2, settled=2.0))
    request = lab.request()
    target.submit(request)
    with followed(target) as told:
        # When
        lab.job(request.name).move("Completed")
        began = time.monotonic()
        eventually(lambda: target.observe([request.name])[request.name].phase is Phase.SUCCEEDED)

        # Then
        assert time.monotonic() - began > 0.9
        assert request.name in told


def test_a_log_that_cannot_be_had_is_told_of_and_read_on_later(lab: SageMakerLab, streams: Streams) -> None:
    # Given
    name, job = lab.submit()
    job.move("Training")
    streams.put(name, "algo-1-1700000000", (now_ms(), "one"))
    _, position = read_all(lab.target, name)
    lab.server.faults.add(Fault("DescribeTrainingJob", code="InternalFailure", status=500))

    # Then a new agent, which has to ask for the job first, gets it at the second try
    successor = lab.another_agent(QUICK)
    with pytest.raises(TemporaryError, match="does not do DescribeTrainingJob"):
        successor.read_logs(name, position)
    eventually(lambda: not _is_silent(successor, name, position))


def _is_silent(target: Target, name: str, position: str) -> bool:
    try:
        target.read_logs(name, position)
    except TemporaryError:
        return True
    return False


def test_a_place_in_a_stream_is_behind_the_lines_that_were_taken() -> None:
    # Given
    lines = [Line(1, "a"), Line(1, "b"), Line(2, "c"), Line(2, "d")]

    # When they are read in any two parts
    for cut in range(len(lines) + 1):
        place = Place().after(lines[:cut])
        listed: list[Any] = [line for line in lines if line.at_ms >= place.at_ms]

        # Then
        assert place.rest(listed) == lines[cut:]
        assert place.after(place.rest(listed)) == Place().after(lines)
