"""What is SageMaker's own about its jobs: names for good, wishes as tags, roles, accounts, quotas and lost answers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from broker_config.errors import ConfigError, TemporaryError
from broker_config.states import FailureClass, Reason
from tests.clouds.faults import Fault
from tests.clouds.sagemaker import shared_cloud
from tests.workers.targets.sagemaker_lab import CONFIG, QUICK, SageMakerLab
from workers.failures import RunFailed
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Phase
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.target import SageMakerTarget

QUOTA = (
    "The account-level service limit 'ml.p3.2xlarge for training job usage' is {} Instances, with current utilization "
    "of {} Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase."
)


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> SageMakerLab:
    cloud = shared_cloud()
    cloud.sagemaker.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return SageMakerLab(home, cloud.sagemaker)


# --- submit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("CreateTrainingJob", is_done=True),
        Fault("CreateTrainingJob"),
        Fault("CreateTrainingJob", code="ThrottlingException", message="Rate exceeded"),
        Fault("CreateTrainingJob", code="InternalFailure", status=500),
        Fault("CreateTrainingJob", code="ServiceUnavailable", status=503),
    ],
    ids=["answer lost", "connection lost", "throttled", "failed", "unavailable"],
)
def test_a_job_is_made_once_whatever_becomes_of_the_answer(lab: SageMakerLab, fault: Fault) -> None:
    # Given
    request = lab.request()
    lab.server.faults.add(fault)

    # When the agent submits, and does so again as it is told to
    with pytest.raises(TemporaryError):
        lab.target.submit(request)
    lab.target.submit(request)

    # Then
    assert len(lab.server.region().jobs) == 1
    seen = lab.observe(request.name)
    assert seen is not None
    assert seen.phase is Phase.STARTING


def test_a_throttled_submit_waits_as_long_as_sagemaker_says(lab: SageMakerLab) -> None:
    # Given
    headers = {"Retry-After": "17"}
    lab.server.faults.add(Fault("CreateTrainingJob", code="ThrottlingException", headers=headers))

    # Then
    with pytest.raises(TemporaryError) as raised:
        lab.target.submit(lab.request())
    assert 17 <= raised.value.delay_seconds <= 26


def test_a_run_waits_while_its_accounts_instances_are_taken(lab: SageMakerLab) -> None:
    lab.server.faults.add(Fault("CreateTrainingJob", code="ResourceLimitExceeded", message=QUOTA.format(4, 4)))

    with pytest.raises(TemporaryError, match="waits until others have ended") as raised:
        lab.target.submit(lab.request())
    assert raised.value.delay_seconds == 60


def test_a_run_that_wants_more_than_its_account_may_ever_have_fails(lab: SageMakerLab) -> None:
    lab.server.faults.add(Fault("CreateTrainingJob", code="ResourceLimitExceeded", message=QUOTA.format(0, 0)))

    with pytest.raises(RunFailed, match="no wait will help") as failed:
        lab.target.submit(lab.request())
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.TARGET_REFUSED)


def test_a_missing_permission_is_named(lab: SageMakerLab) -> None:
    lab.server.denied.add("CreateTrainingJob")

    with pytest.raises(RunFailed, match="allow the agent sagemaker:CreateTrainingJob"):
        lab.target.submit(lab.request())


def test_a_job_that_is_not_told_of_yet_is_adopted_later(lab: SageMakerLab) -> None:
    # Given a job whose answer was lost, and that cannot be found yet
    request = lab.request()
    lab.server.faults.add(Fault("CreateTrainingJob", is_done=True))
    with pytest.raises(TemporaryError):
        lab.target.submit(request)
    lab.server.region().hidden_seconds = 60
    with pytest.raises(TemporaryError, match="does not tell of it yet"):
        lab.target.submit(request)

    # When it can
    lab.server.region().hidden_seconds = 0
    lab.target.submit(request)

    # Then
    assert lab.observe(request.name) is not None


def test_a_young_job_without_tags_may_get_them_and_an_old_one_is_somebody_elses(lab: SageMakerLab) -> None:
    # Given
    request = lab.request()
    lab.target.submit(request)
    job = lab.job(request.name)
    job.tags.clear()

    # Then
    with pytest.raises(TemporaryError, match="tags"):
        lab.target.submit(request)
    job.age(120)
    with pytest.raises(RunFailed, match="not made by Launchyard") as failed:
        lab.target.submit(request)
    assert failed.value.reason is Reason.NAME_TAKEN


def test_a_role_by_name_is_one_of_the_agents_own_account(lab: SageMakerLab) -> None:
    _, job = lab.submit({**CONFIG, "RoleArn": "service-role/Trainer"})
    assert job.told["RoleArn"] == "arn:aws:iam::123456789012:role/service-role/Trainer"


def test_a_field_that_sagemaker_does_not_know_is_named_before_anything_is_submitted(lab: SageMakerLab) -> None:
    with pytest.raises(RunFailed, match="RetryStrategy"):
        lab.request({**CONFIG, "retry_strategi": {}})


def test_a_processing_job_runs_to_its_end(lab: SageMakerLab) -> None:
    # Given
    resources = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}
    config = {"processing_job": {"role_arn": "Preparer", "processing_resources": resources}}

    # When
    name, job = lab.submit(config)
    job.move("Training")

    # Then
    assert Handle.parse(name).kind == "processing-job"
    eventually(lambda: (seen := lab.observe(name)) and seen.phase is Phase.RUNNING)
    job.move("Failed", FailureReason="AlgorithmError: See job logs", ExitMessage="no such column")
    eventually(lambda: (seen := lab.observe(name)) and "no such column" in seen.text)
    assert name in lab.target.inventory()
    lab.target.release(name)
    assert lab.target.inventory() == []


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_a_queue_may_have_the_agent_take_on_a_role(lab: SageMakerLab) -> None:
    # Given
    role = "arn:aws:iam::123456789012:role/launcher-of-team-a"

    # When
    name, _ = lab.submit({**CONFIG, "assume_role_arn": role})

    # Then all of the job is done with the keys of that role, also by an agent that knows only its name
    lab.another_agent().cancel(name, 30)
    assert "testing" not in lab.server.keys
    assert lab.server.keys


def test_a_role_that_may_not_be_assumed_is_the_permission_that_is_missing(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a service of tokens that refuses
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", lab.server.url)

    # Then
    with pytest.raises(RunFailed, match="allow the agent sts:AssumeRole"):
        lab.target.submit(lab.request({**CONFIG, "assume_role_arn": "arn:aws:iam::123456789012:role/launcher"}))


def test_the_place_of_a_queue_is_known_before_its_first_run(lab: SageMakerLab, tmp_path: Path) -> None:
    # Given a job that a machine has not sent
    config = {**CONFIG, "region": "eu-central-1"}
    name, _ = lab.submit(config)
    another = SageMakerTarget(tmp_path, QUICK)

    # When it is told of queues
    another.learn({**CONFIG, "region": "{{region}}"})
    assert another.inventory() == []
    another.learn(config)

    # Then
    assert another.inventory() == [name]
    assert SageMakerTarget(tmp_path, QUICK).inventory() == [name]


def test_credentials_that_are_renewed_are_found_by_a_running_agent(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a token that is over
    name, _ = lab.submit()
    lab.server.expired.add("testing")
    with pytest.raises(TemporaryError, match="renew the agent's AWS credentials"):
        lab.target.cancel(name, 30)

    # When there is another one
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")

    # Then
    lab.target.cancel(name, 30)
    assert lab.job(name).status == "Stopping"


def test_an_agent_without_credentials_or_region_says_what_to_give_it(
    lab: SageMakerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = lab.request()
    with monkeypatch.context() as without:
        without.delenv("AWS_DEFAULT_REGION")
        with pytest.raises(ConfigError, match="write region: into the queue config"):
            lab.another_agent().submit(request)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(ConfigError, match="AWS_PROFILE"):
        lab.another_agent().submit(request)
    with pytest.raises(ConfigError, match="research"):
        lab.another_agent().submit(lab.request({**CONFIG, "profile": "research"}))


# --- ends -------------------------------------------------------------------------------------------------------------


def test_whoever_sees_the_end_knows_whose_wish_it_was(lab: SageMakerLab) -> None:
    # Given two jobs, one of which Launchyard has stopped
    ours, our_job = lab.submit()
    theirs, their_job = lab.submit()
    lab.target.cancel(ours, 30)
    lab.server.region().stop(their_job)

    # When both have ended
    for job in (our_job, their_job):
        job.move("Stopped")

    # Then another agent tells them apart
    seen = lab.another_agent().observe([ours, theirs])
    assert "asked to end" in seen[ours].text
    assert "Launchyard did not" in seen[theirs].text


def test_a_job_that_is_stopping_is_not_asked_again(lab: SageMakerLab) -> None:
    # Given
    name, _ = lab.submit()
    lab.target.cancel(name, 30)
    calls = lab.server.faults.calls

    # When the agent asks again, as it does until the job is gone
    before = calls["StopTrainingJob"]
    lab.another_agent().cancel(name, 30)

    # Then
    assert calls["StopTrainingJob"] == before


def test_a_submit_that_was_under_way_when_its_name_was_released_is_stopped(lab: SageMakerLab) -> None:
    # Given an agent whose call takes long
    request = lab.request()
    lab.server.faults.add(Fault("CreateTrainingJob", breaks=False, seconds=1.0))
    late = threading.Thread(target=lab.target.submit, args=(request,))
    late.start()
    eventually(lambda: lab.server.faults.calls["CreateTrainingJob"])

    # When another one releases the name meanwhile
    lab.another_agent().release(request.name)
    late.join(20)

    # Then the job ends before it has begun
    assert lab.job(request.name).status == "Stopping"


def test_a_record_that_is_too_large_for_tags_stays_behind(lab: SageMakerLab) -> None:
    # Given requests with records of random text, which cannot be made much smaller
    def record(characters: int) -> str:
        return "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=characters))

    small, large = (replace(lab.request(), passport=record(size)) for size in (8_000, 40_000))
    for request in (small, large):
        lab.target.submit(request)

    # Then
    assert lab.target.passport(small.name) == small.passport
    assert lab.target.passport(large.name) == ""
    assert len(lab.job(small.name).tags) <= 50
