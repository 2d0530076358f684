"""What following jobs at SageMaker costs, and what is told of them while it answers late, wrongly or not at all."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from broker_config.states import Reason
from tests.clouds.faults import Fault
from tests.clouds.sagemaker import shared_cloud
from tests.workers.targets.sagemaker_lab import CONFIG, QUICK, SageMakerLab
from tests.workers.targets.watching import followed
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Phase, Target, Unanswered
from workers.targets.sagemaker.jobs import Jobs

RUNS = 1000


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> SageMakerLab:
    cloud = shared_cloud()
    cloud.sagemaker.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return SageMakerLab(home, cloud.sagemaker)


def running(lab: SageMakerLab, count: int) -> list[str]:
    """Jobs that began an hour ago, which this agent has not heard of."""
    names = []
    for _ in range(count):
        request = lab.request()
        told = {**request.body["input"], "RoleArn": "arn:aws:iam::123456789012:role/Trainer"}
        job = lab.server.region().create("TrainingJob", told)
        job.move("Training")
        job.age(3600)
        names.append(request.name)
    return names


def test_a_thousand_runs_cost_one_list_a_period_and_each_end_two_calls(lab: SageMakerLab) -> None:
    # Given an agent that takes up many runs
    names = running(lab, RUNS)
    calls = lab.server.faults.calls
    period = 0.2
    target = lab.another_agent(Bounds(fastest=period, slowest=period, settled=-1.0))
    with followed(target):
        assert {seen.phase for seen in target.observe(names).values()} == {Phase.RUNNING}
        eventually(lambda: calls["ListTrainingJobs"] > 2 * RUNS / 100)

        # When it follows them for some periods, and asks for all of them as the agent does
        before, began = calls.copy(), time.monotonic()
        eventually(lambda: calls["ListTrainingJobs"] - before["ListTrainingJobs"] >= 5)
        target.observe(names)
        spent, periods = calls - before, (time.monotonic() - began) / period

        # Then all that is asked is one list a period
        assert set(spent) == {"ListTrainingJobs"}
        assert spent["ListTrainingJobs"] <= periods + 1

        # And the end of one is told after it alone was looked at
        before = calls.copy()
        lab.job(names[0]).move("Completed")
        eventually(lambda: target.observe(names)[names[0]].phase is Phase.SUCCEEDED)
        assert calls["DescribeTrainingJob"] - before["DescribeTrainingJob"] == 1
        assert calls["ListTags"] - before["ListTags"] == 1


def test_without_a_run_that_lives_nothing_is_asked(lab: SageMakerLab) -> None:
    # Given a followed run that has ended
    name, job = lab.submit()
    with followed(lab.target) as told:
        job.move("Completed")
        eventually(lambda: name in told)
        before = lab.server.faults.calls.copy()

        # When time goes by
        time.sleep(0.5)

        # Then SageMaker was left alone
        assert lab.server.faults.calls == before


def test_many_unknown_jobs_are_looked_for_in_lists_and_only_ended_ones_by_themselves(lab: SageMakerLab) -> None:
    # Given
    names = running(lab, 150)
    lab.job(names[7]).move("Failed", FailureReason="AlgorithmError: , exit code: 3")

    # When another agent takes them up
    seen = lab.another_agent().observe(names)

    # Then
    calls = lab.server.faults.calls
    assert len(seen) == 150
    assert seen[names[7]].exit_code == 3
    assert (calls["ListTrainingJobs"], calls["DescribeTrainingJob"]) == (2, 1)


def test_a_job_that_no_list_shows_yet_is_not_gone(lab: SageMakerLab) -> None:
    # Given a service that tells of new jobs late
    lab.server.region().hidden_seconds = 60
    name, _ = lab.submit()

    # When its agent asks again and again
    with followed(lab.target):
        calls = lab.server.faults.calls
        eventually(lambda: calls["ListTrainingJobs"] >= 3)

        # Then
        seen = lab.observe(name)
        assert seen is not None
        assert seen.phase is Phase.STARTING


def test_a_change_that_the_lists_leave_out_is_found_by_a_full_one(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a change that comes into the list long after others that were made later
    monkeypatch.setattr("workers.targets.sagemaker.knowledge.FULL_SECONDS", 0.5)
    monkeypatch.setattr("workers.targets.sagemaker.knowledge.VISIBLE_SECONDS", 0.1)
    name, job = lab.submit()
    job.move("Training")
    with followed(lab.target):
        eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.RUNNING)
        job.move("Completed")
        job.transitions[-1]["StartTime"] += 0.001
        job.age(3600)

        # Then
        eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.SUCCEEDED)


def test_an_end_that_could_not_be_described_is_not_forgotten(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a followed run whose end comes into a list, and whose description fails for longer than lists overlap
    monkeypatch.setattr("workers.targets.sagemaker.knowledge.OVERLAP", timedelta(0))
    name, job = lab.submit()
    with followed(lab.target):
        job.move("Training")
        eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.RUNNING)
        job.move("Completed")
        fault = Fault("DescribeTrainingJob", times=8, code="InternalFailure", status=500)
        lab.server.faults.add(fault)
        eventually(lambda: fault.times == 0)

        # Then
        eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.SUCCEEDED)


def test_a_job_that_somebody_deleted_is_gone(lab: SageMakerLab) -> None:
    # Given
    name, job = lab.submit()
    job.move("Stopped")
    job.move("Deleting")

    # Then
    assert lab.another_agent().observe([name]) == {}


def test_jobs_are_told_from_the_last_list_while_sagemaker_is_busy_and_then_not_any_more(lab: SageMakerLab) -> None:
    # Given a followed run
    name, job = lab.submit()
    job.move("Training")
    target = lab.another_agent(replace(QUICK, stale=3.0))
    assert target.observe([name])[name].phase is Phase.RUNNING
    with followed(target):
        # When SageMaker throttles for longer than an answer is good for
        lab.server.faults.add(Fault("", times=10_000, code="ThrottlingException", message="Rate exceeded"))
        eventually(lambda: lab.server.faults.calls["ListTrainingJobs"])
        assert target.observe([name])[name].phase is Phase.RUNNING
        with pytest.raises(Unanswered, match="Rate exceeded") as raised:
            eventually(lambda: target.observe([name]) == {})
        assert list(raised.value.silent) == [name]

        # Then the runs go on when it is not any more
        lab.server.faults.clear()
        job.move("Completed")
        eventually(lambda: _is_heard(target, name))


def _is_heard(target: Target, name: str) -> bool:
    try:
        return target.observe([name])[name].phase is Phase.SUCCEEDED
    except TemporaryError:
        return False


def test_the_wish_to_be_left_alone_is_kept(lab: SageMakerLab) -> None:
    # Given
    name, _ = lab.submit()
    headers = {"Retry-After": "2"}
    lab.server.faults.add(Fault("ListTrainingJobs", code="ThrottlingException", headers=headers))
    with followed(lab.target):
        calls = lab.server.faults.calls
        eventually(lambda: calls["ListTrainingJobs"] == 1)

        # When it is asked for meanwhile, also by hand
        began = time.monotonic()
        for _ in range(10):
            lab.observe(name)
        eventually(lambda: calls["ListTrainingJobs"] == 2)

        # Then
        assert time.monotonic() - began > 1.5


def test_an_account_that_does_not_answer_holds_up_no_other(lab: SageMakerLab) -> None:
    # Given jobs in two regions
    here, _ = lab.submit()
    there, _ = lab.submit({**CONFIG, "region": "eu-central-1"})
    assert sorted(lab.another_agent().inventory()) == sorted([here, there])

    # When one of them fails
    lab.server.broken.add("eu-central-1")
    with pytest.raises(Unanswered) as raised:
        lab.another_agent().observe([here, there])

    # Then
    assert list(raised.value.seen) == [here]
    assert list(raised.value.silent) == [there]


def test_a_reason_that_no_list_has_is_asked_for(lab: SageMakerLab) -> None:
    # Given
    name, job = lab.submit()
    with followed(lab.target):
        # When
        job.move("Pending", "Insufficient capacity error from EC2 while launching instances, retrying!")

        # Then
        eventually(lambda: (seen := lab.observe(name)) and seen.reason is Reason.UNSCHEDULABLE)
        seen = lab.observe(name)
        assert seen is not None
        assert "Insufficient capacity" in seen.text


def test_a_processing_job_that_began_without_a_word_in_the_lists_is_seen_to_run(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a service that tells of a beginning in descriptions only
    monkeypatch.setattr("workers.targets.sagemaker.knowledge.NOT_BEGUN_SECONDS", 0.3)
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    name, job = lab.submit(
        {"processing_job": {"RoleArn": "Preparer", "ProcessingResources": {"ClusterConfig": cluster}}}
    )
    with followed(lab.target):
        eventually(lambda: lab.server.faults.calls["ListProcessingJobs"] >= 2)

        # When
        job.more["ProcessingStartTime"] = time.time()

        # Then
        eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.RUNNING)


def test_a_fault_of_the_agents_own_is_told_and_does_not_end_the_watch(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a list that cannot be read
    name, job = lab.submit()
    with monkeypatch.context() as broken:

        def summaries(self: Jobs, page: object) -> list[object]:
            raise KeyError("TrainingJobName")

        broken.setattr(Jobs, "summaries", summaries)
        target = lab.another_agent(replace(QUICK, stale=0.5))
        target.observe([name])
        with followed(target):
            with pytest.raises(Unanswered, match="TrainingJobName"):
                eventually(lambda: target.observe([name]) == {})

            # When it can be
            broken.undo()
            job.move("Completed")

            # Then
            eventually(lambda: _is_heard(target, name))


def test_an_agent_without_a_region_does_not_look_in_it_where_all_queues_name_theirs(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent that was asked before it knew of any queue
    assert lab.target.inventory() == []
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    # When it has a run in a region that its queue names
    name, _ = lab.submit({**CONFIG, "region": "eu-west-1"})

    # Then that is all there is
    assert lab.another_agent().inventory() == [name]
