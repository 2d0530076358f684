"""What following jobs at Vertex AI costs, and what is told of them while it answers late, wrongly or not at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import JobState

from broker_config.errors import TemporaryError
from broker_config.states import Reason
from tests.clouds.faults import Fault
from tests.clouds.vertex import shared_cloud
from tests.workers.targets.vertex_lab import VertexLab
from tests.workers.targets.watching import followed
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Phase, Unanswered

RUNS = 1000


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> VertexLab:
    cloud = shared_cloud()
    cloud.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return VertexLab(home, cloud)


def move(lab: VertexLab, names: Sequence[str], state: JobState) -> None:
    for name in names:
        lab.job(name).move(state)


def test_a_thousand_runs_cost_one_list_a_period_and_an_end_none(lab: VertexLab) -> None:
    # Given an agent that takes up many runs
    names = lab.jobs(RUNS)
    calls = lab.server.faults.calls
    period = 0.3
    target = lab.another_agent(Bounds(fastest=period, slowest=period, settled=0.0))
    with followed(target):
        assert {seen.phase for seen in target.observe(names).values()} == {Phase.RUNNING}

        # When it follows them for some periods, and asks for all of them as the agent does
        before, began = calls.copy(), time.monotonic()
        eventually(lambda: calls["ListCustomJobs"] - before["ListCustomJobs"] >= 5)
        target.observe(names)
        spent, periods = calls - before, (time.monotonic() - began) / period

        # Then all that is asked is one list a period
        assert set(spent) == {"ListCustomJobs"}
        assert spent["ListCustomJobs"] <= periods + 1

        # And the end of one is in the list
        move(lab, names[:1], JobState.JOB_STATE_SUCCEEDED)
        eventually(lambda: target.observe(names)[names[0]].phase is Phase.SUCCEEDED)
        assert set(calls - before) == {"ListCustomJobs"}


def test_many_that_begin_at_once_are_looked_for_in_one_more_list(lab: VertexLab) -> None:
    # Given jobs that wait for machines
    names = lab.jobs(50, JobState.JOB_STATE_PENDING)
    with followed(lab.target):
        assert {seen.phase for seen in lab.target.observe(names).values()} == {Phase.STARTING}

        # When
        move(lab, names, JobState.JOB_STATE_RUNNING)
        eventually(lambda: {seen.phase for seen in lab.target.observe(names).values()} == {Phase.RUNNING})

    # Then
    assert lab.server.faults.calls["GetCustomJob"] <= 4


def test_without_a_run_that_lives_nothing_is_asked(lab: VertexLab) -> None:
    # Given a followed run that has ended
    name, job = lab.submit()
    with followed(lab.target) as told:
        job.move(JobState.JOB_STATE_SUCCEEDED)
        eventually(lambda: name in told)
        before = lab.server.faults.calls.copy()

        # When time goes by
        time.sleep(0.5)

        # Then Vertex AI was left alone
        assert lab.server.faults.calls == before


def test_many_unknown_jobs_are_looked_for_in_lists(lab: VertexLab) -> None:
    # Given
    names = lab.jobs(150)
    lab.job(names[7]).move(JobState.JOB_STATE_FAILED, code=3, error="The replica exited with a non-zero status of 3.")

    # When another agent takes them up
    seen = lab.another_agent().observe(names)

    # Then the failed one alone was looked at
    calls = lab.server.faults.calls
    assert len(seen) == 150
    assert seen[names[7]].exit_code == 3
    assert (calls["ListCustomJobs"], calls["GetCustomJob"]) == (2, 1)


def test_a_job_that_no_list_shows_yet_is_not_gone(lab: VertexLab) -> None:
    # Given a service whose lists have new jobs late
    lab.server.place().hidden_seconds = 60
    request = lab.request()
    lab.target.submit(request)

    # When its agent asks again and again
    with followed(lab.target):
        calls = lab.server.faults.calls
        eventually(lambda: calls["ListCustomJobs"] >= 5)

        # Then
        seen = lab.observe(request.name)
        assert seen is not None
        assert seen.phase is Phase.STARTING


@pytest.mark.parametrize("state", [JobState.JOB_STATE_PENDING, JobState.JOB_STATE_RUNNING])
def test_a_job_that_somebody_deleted_is_gone(lab: VertexLab, monkeypatch: pytest.MonkeyPatch, state: JobState) -> None:
    # Given a followed run, for which another list of all jobs is due
    monkeypatch.setattr("workers.targets.vertex.listing.FULL_SECONDS", 0.3)
    [name] = lab.jobs(1, state)
    with followed(lab.target):
        assert lab.observe(name) is not None

        # When
        lab.server.place().jobs.clear()

        # Then
        eventually(lambda: lab.observe(name) is None)


def test_an_end_is_told_when_its_last_lines_have_had_time_to_come(lab: VertexLab) -> None:
    # Given
    target = lab.another_agent(Bounds(fastest=0.1, slowest=0.1, settled=0.6))
    [name] = lab.jobs(1)
    with followed(target):
        target.observe([name])
        move(lab, [name], JobState.JOB_STATE_SUCCEEDED)
        ended = time.monotonic()

        # Then
        eventually(lambda: target.observe([name])[name].phase is Phase.SUCCEEDED)
        assert time.monotonic() - ended >= 0.6


def test_a_queued_job_says_that_it_may_wait_for_quota(lab: VertexLab) -> None:
    name, _ = lab.submit()

    seen = lab.another_agent().observe([name])[name]

    assert (seen.phase, seen.reason) == (Phase.STARTING, Reason.UNSCHEDULABLE)
    assert "quota" in seen.text


# --- faults -----------------------------------------------------------------------------------------------------------


def test_jobs_are_told_from_the_last_list_while_vertex_is_busy_and_then_not_any_more(lab: VertexLab) -> None:
    # Given a followed run
    [name] = lab.jobs(1)
    with followed(lab.target):
        assert lab.observe(name) is not None

        # When every list is throttled
        lab.server.faults.add(Fault("ListCustomJobs", times=10**6, code="RESOURCE_EXHAUSTED", message="too many"))
        calls = lab.server.faults.calls
        before = calls["ListCustomJobs"]
        eventually(lambda: calls["ListCustomJobs"] > before)
        seen = lab.observe(name)

        # Then it is told as it was, and soon that nothing is heard
        assert seen is not None
        assert seen.phase is Phase.RUNNING
        eventually(lambda: _is_silent(lab, name))

        # And what happened meanwhile is told afterwards
        lab.server.faults.clear()
        move(lab, [name], JobState.JOB_STATE_SUCCEEDED)
        eventually(lambda: not _is_silent(lab, name))
        assert lab.end_of(name).phase is Phase.SUCCEEDED


def test_vertex_is_left_alone_for_as_long_as_it_asks(lab: VertexLab) -> None:
    # Given
    [name] = lab.jobs(1)
    with followed(lab.target):
        assert lab.observe(name) is not None
        hint = {"retry-after": "1"}
        lab.server.faults.add(Fault("ListCustomJobs", code="RESOURCE_EXHAUSTED", headers=hint))
        calls = lab.server.faults.calls
        before = calls["ListCustomJobs"]
        eventually(lambda: calls["ListCustomJobs"] > before)
        throttled, told = time.monotonic(), calls["ListCustomJobs"]

        # When
        eventually(lambda: calls["ListCustomJobs"] > told)

        # Then
        assert time.monotonic() - throttled >= 0.9


@pytest.mark.parametrize(
    "code", ["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "UNAUTHENTICATED", "PERMISSION_DENIED"]
)
def test_no_answer_is_no_news_of_a_job(lab: VertexLab, code: str) -> None:
    # Given
    [name] = lab.jobs(1)
    lab.server.faults.add(Fault("ListCustomJobs", code=code))

    # When another agent asks for the first time
    with pytest.raises(TemporaryError, match="made by a test"):
        lab.target.observe([name])

    # Then the next answer is as good as any
    assert eventually(lambda: not _is_silent(lab, name))
    assert lab.observe(name) is not None


def test_an_end_of_which_more_is_to_be_known_holds_up_no_other(lab: VertexLab) -> None:
    # Given jobs of which one fails while nobody says who wanted that
    names = lab.jobs(3)
    with followed(lab.target) as told:
        lab.target.observe(names)
        lab.services.denied.add("secretmanager.secrets.get")
        lab.job(names[0]).move(
            JobState.JOB_STATE_FAILED, code=3, error="The replica exited with a non-zero status of 3."
        )
        move(lab, names[1:], JobState.JOB_STATE_SUCCEEDED)
        lists = lab.server.faults.calls["ListCustomJobs"]
        eventually(lambda: lab.server.faults.calls["ListCustomJobs"] > lists + 1)

        # When somebody does
        lab.services.denied.clear()

        # Then all ends are told
        eventually(lambda: {*names} <= {*told})
        assert lab.observe(names[0]) is not None
        assert {lab.end_of(name).exit_code for name in names} == {3, 0}


def _is_silent(lab: VertexLab, name: str) -> bool:
    try:
        lab.target.observe([name])
    except Unanswered:
        return True
    return False
