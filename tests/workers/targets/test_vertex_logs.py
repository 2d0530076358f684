"""The output of custom jobs, from all replicas, whole and once, at the cost of one caller."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import JobState
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import TemporaryError
from tests.clouds.faults import Fault
from tests.clouds.vertex import shared_cloud
from tests.workers.targets.vertex_lab import VertexLab
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Target
from workers.targets.vertex.entries import moment, nanoseconds

CHIEF, WORKER = "workerpool0-0", "workerpool1-0"
HOUR = timedelta(hours=1)


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> VertexLab:
    cloud = shared_cloud()
    cloud.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return VertexLab(home, cloud)


def running(lab: VertexLab, *, age: timedelta = timedelta()) -> tuple[str, str]:
    """A job that runs: its name, and its id."""
    name, job = lab.submit()
    job.move(JobState.JOB_STATE_RUNNING)
    job.said.create_time = datetime.now(UTC) - age
    return name, job.id


def end(lab: VertexLab, name: str, *agents: Target) -> None:
    lab.job(name).move(JobState.JOB_STATE_SUCCEEDED)
    for agent in agents or (lab.target,):
        eventually(lambda: (seen := agent.observe([name]).get(name)) and seen.phase.is_end)  # noqa: B023


def read_until(target: Target, name: str, count: int, position: str = "") -> tuple[list[str], str]:
    """So many lines from a position on, waited for, and the position behind them."""
    lines: list[str] = []

    def are_there() -> bool:
        nonlocal position
        chunk = target.read_logs(name, position)
        lines.extend(chunk.lines)
        position = chunk.position
        return len(lines) >= count

    eventually(are_there)
    return lines, position


def read_all(target: Target, positions: dict[str, str]) -> dict[str, list[str]]:
    """A line of each job from its position on, as they come; the positions are behind them then."""
    lines: dict[str, list[str]] = {name: [] for name in positions}

    def are_there() -> bool:
        for name in positions:
            chunk = target.read_logs(name, positions[name])
            lines[name] += chunk.lines
            positions[name] = chunk.position
        return all(lines.values())

    eventually(are_there)
    return lines


def asked(lab: VertexLab) -> int:
    return lab.services.faults.calls["entries.list"]


def test_each_line_says_of_which_replica_it_is_where_there_are_several(lab: VertexLab) -> None:
    # Given
    name, job = running(lab)
    lab.services.put_lines(job, CHIEF, ["a1", "a2"])
    lab.services.put_lines(job, WORKER, ["b1"])

    # Then
    lines, _ = read_until(lab.target, name, 3)
    assert lines == [f"[{CHIEF}] a1", f"[{CHIEF}] a2", f"[{WORKER}] b1"]


def test_what_vertex_itself_writes_is_not_the_jobs(lab: VertexLab) -> None:
    # Given
    name, job = running(lab)
    lab.services.put_lines(job, "service", ["Job is running."])
    lab.services.put_lines(job, CHIEF, ["mine"])

    # Then
    assert read_until(lab.target, name, 1)[0] == ["mine"]


def test_lines_of_one_moment_come_once_each_also_to_an_agent_that_reads_on(lab: VertexLab) -> None:
    # Given
    name, job = running(lab)
    at = datetime.now(UTC)
    lab.services.put_lines(job, CHIEF, ["1", "2"], at)
    first, position = read_until(lab.target, name, 2)

    # When more of that moment come
    lab.services.put_lines(job, CHIEF, ["3", "4"], at)
    second, _ = read_until(lab.another_agent(), name, 2, position)
    same, _ = read_until(lab.target, name, 2, position)

    # Then
    assert (first, second, same) == (["1", "2"], ["3", "4"], ["3", "4"])


def test_lines_of_a_replica_that_come_late_are_not_lost(lab: VertexLab) -> None:
    # Given a line of one replica, that was read
    name, job = running(lab)
    now = datetime.now(UTC)
    lab.services.put_lines(job, CHIEF, ["a1"], now)
    _, position = read_until(lab.target, name, 1)

    # When what another has written before comes afterwards, also to another agent
    lab.services.put_lines(job, WORKER, ["b1"], now - timedelta(seconds=20))

    # Then
    assert read_until(lab.target, name, 1, position)[0] == [f"[{WORKER}] b1"]
    assert read_until(lab.another_agent(), name, 1, position)[0] == [f"[{WORKER}] b1"]


def test_lines_that_are_found_long_after_they_came_are_not_lost(lab: VertexLab) -> None:
    # Given a service that finds lines late, and a line that was read
    name, job = running(lab)
    other, other_job = running(lab)
    lab.services.put_lines(job, CHIEF, ["first"])
    _, position = read_until(lab.target, name, 1)
    lab.services.late_seconds = 0.5

    # When a line of another job comes, and is found
    lab.services.put_lines(job, CHIEF, ["second"])
    lab.services.put_lines(other_job, CHIEF, ["other"])
    read_until(lab.target, other, 1)

    # Then
    assert read_until(lab.target, name, 1, position)[0] == ["second"]


def test_many_jobs_that_run_cost_what_one_costs(lab: VertexLab) -> None:
    # Given jobs that print
    jobs = [running(lab) for _ in range(50)]
    target = lab.another_agent(Bounds(fastest=0.3, slowest=0.3, settled=0.0))
    for _, job in jobs:
        lab.services.put_lines(job, CHIEF, ["one"])
    positions = {name: "" for name, _ in jobs}
    read_all(target, positions)
    before, began = asked(lab), time.monotonic()

    # When each is read again and again, as they print more
    for _, job in jobs:
        lab.services.put_lines(job, CHIEF, ["two"])
    lines = read_all(target, positions)

    # Then they were asked for together
    assert [*lines.values()] == [["two"]] * 50
    assert asked(lab) - before <= (time.monotonic() - began) / 0.3 + 2


def test_a_job_that_was_quiet_for_long_is_read_by_itself_once(lab: VertexLab) -> None:
    # Given a job of which an agent knows what it printed an hour ago
    name, job = running(lab, age=2 * HOUR)
    lab.services.put_lines(job, CHIEF, ["old"], datetime.now(UTC) - HOUR)
    lines, position = read_until(lab.target, name, 1)
    assert lines == ["old"]

    # When it prints again
    lab.services.put_lines(job, CHIEF, ["new"])
    before = asked(lab)
    lines, _ = read_until(lab.target, name, 1, position)

    # Then
    assert lines == ["new"]
    assert asked(lab) - before <= 2


def test_more_lines_than_one_answer_holds_come_all(lab: VertexLab) -> None:
    # Given a long log, read as it comes by one agent, and as a whole by another
    lab.services.page = 10
    name, job = running(lab)
    printed = [f"line {number}" for number in range(95)]
    lab.services.put_lines(job, CHIEF, printed)
    lines, _ = read_until(lab.target, name, len(printed))

    # When
    end(lab, name)

    # Then
    assert lines == printed
    assert lab.lines(name) == printed


def test_an_ended_job_is_read_to_its_end_whatever_was_read_before(lab: VertexLab) -> None:
    # Given
    name, job = running(lab)
    lab.services.put_lines(job, CHIEF, ["one"])
    _, position = read_until(lab.target, name, 1)

    # When
    lab.services.put_lines(job, CHIEF, ["two"])
    end(lab, name)

    # Then
    chunk = lab.target.read_logs(name, position)
    assert (list(chunk.lines), chunk.more) == (["two"], False)


def test_many_jobs_that_end_at_once_are_read_to_their_ends_together(lab: VertexLab) -> None:
    # Given jobs whose logs were read
    target = lab.another_agent(Bounds(fastest=0.1, slowest=0.1, settled=2.0))
    jobs = [running(lab) for _ in range(20)]
    for _, job in jobs:
        lab.services.put_lines(job, CHIEF, ["one"])
    positions = {name: "" for name, _ in jobs}
    read_all(target, positions)

    # When all of them end
    for name, job in jobs:
        lab.services.put_lines(job, CHIEF, ["two"])
        lab.job(name).move(JobState.JOB_STATE_SUCCEEDED)
    names = [name for name, _ in jobs]
    eventually(lambda: all(seen.phase.is_end for seen in target.observe(names).values()))
    before = asked(lab)
    chunks = [target.read_logs(name, positions[name]) for name in names]

    # Then
    assert [(list(chunk.lines), chunk.more) for chunk in chunks] == [(["two"], False)] * 20
    assert asked(lab) - before <= 5


@pytest.mark.parametrize("status", [429, 503, 403])
def test_a_log_that_cannot_be_had_is_told_of_once_a_pause_and_read_on_later(lab: VertexLab, status: int) -> None:
    # Given
    name, job = running(lab)
    lab.services.put_lines(job, CHIEF, ["one"])
    fault = Fault("entries.list", times=10**6, code="any", status=status, message="not now")
    lab.services.faults.add(fault)

    # When it is read again and again
    with pytest.raises(TemporaryError, match="not now"):
        lab.target.read_logs(name, "")
    before = asked(lab)
    assert list(lab.target.read_logs(name, "").lines) == []

    # Then nobody was asked in the pause, and afterwards there is the line
    assert asked(lab) == before
    lab.services.faults.clear()
    assert read_until(lab.target, name, 1)[0] == ["one"]


def test_cloud_logging_is_left_alone_for_as_long_as_it_asks(lab: VertexLab) -> None:
    # Given
    name, job = running(lab)
    lab.services.put_lines(job, CHIEF, ["one"])
    lab.services.faults.add(Fault("entries.list", code="any", status=429, headers={"Retry-After": "1"}))
    began = time.monotonic()

    # When
    with pytest.raises(TemporaryError) as raised:
        lab.target.read_logs(name, "")
    read_until(lab.target, name, 1)

    # Then
    assert raised.value.delay_seconds >= 0.9
    assert time.monotonic() - began >= 0.9


@given(at_ns=st.integers(min_value=0, max_value=4 * 10**18))
def test_a_time_is_read_back_as_it_was_written_to_the_nanosecond(at_ns: int) -> None:
    assert nanoseconds(moment(at_ns)) == at_ns


@pytest.mark.parametrize(("stamp", "rest_ns"), [("2026-01-31T12:00:00Z", 0), ("2026-01-31T12:00:00.5Z", 5 * 10**8)])
def test_a_time_may_have_few_digits_of_a_second(stamp: str, rest_ns: int) -> None:
    assert nanoseconds(stamp) == int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()) * 10**9 + rest_ns
