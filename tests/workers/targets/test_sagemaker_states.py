"""What SageMaker's words come to, and whose fault a failure is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.model import ServiceModel
from botocore.session import get_session

from broker_config.states import FailureClass, Reason
from workers.targets.protocol import Phase
from workers.targets.sagemaker.jobs import Job
from workers.targets.sagemaker.states import IN_PROGRESS, observation

JOB = Job("launchyard-abc-1")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def service() -> ServiceModel:
    model: ServiceModel = get_session().get_service_model("sagemaker")
    return model


def test_every_status_that_the_service_knows_is_known_here(service: ServiceModel) -> None:
    # Given the words of the service's own description, and what is said of those that are no progress
    secondary = set(service.shape_for("SecondaryStatus").enum)
    primary = set(service.shape_for("TrainingJobStatus").enum) | set(service.shape_for("ProcessingJobStatus").enum)
    of_ends = {"Stopping", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded", "Completed", "Failed"}

    # Then each has its place
    assert secondary == IN_PROGRESS.keys() | of_ends
    assert primary == {"InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting"}


@pytest.mark.parametrize(
    ("secondary", "phase", "reason"),
    [
        ("Starting", Phase.STARTING, Reason.STARTING),
        ("Pending", Phase.STARTING, Reason.UNSCHEDULABLE),
        ("Downloading", Phase.STARTING, Reason.STARTING),
        ("Interrupted", Phase.STARTING, Reason.PREEMPTED),
        ("Training", Phase.RUNNING, Reason.RUNNING),
        ("Uploading", Phase.RUNNING, Reason.RUNNING),
        ("AStatusOfNextYear", Phase.STARTING, Reason.STARTING),
    ],
)
def test_a_job_in_progress_is_as_far_as_its_secondary_status_says(secondary: str, phase: Phase, reason: Reason) -> None:
    seen = observation(replace(JOB, secondary=secondary, message="in its words"))
    assert (seen.phase, seen.reason) == (phase, reason)
    assert ("in its words" in seen.text) == (phase is Phase.STARTING)


def test_a_processing_job_runs_when_it_has_a_time_at_which_it_began() -> None:
    assert observation(JOB).phase is Phase.STARTING
    assert observation(replace(JOB, started=BEGAN)).phase is Phase.RUNNING


def test_a_stopped_job_is_never_a_success() -> None:
    # Given
    job = replace(JOB, status="Stopped", secondary="Stopped")

    # Then it tells whose wish that was
    ours, theirs = observation(job, is_wanted=True), observation(job)
    assert (ours.phase, theirs.phase) == (Phase.CANCELLED, Phase.CANCELLED)
    assert "by force" in ours.text
    assert "Launchyard did not" in theirs.text


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_limit_of_sagemakers_own_is_a_timeout_and_no_cancel(is_wanted: bool) -> None:
    for secondary in ("MaxRuntimeExceeded", "MaxWaitTimeExceeded"):
        seen = observation(replace(JOB, status="Stopped", secondary=secondary), is_wanted=is_wanted)
        assert (seen.phase, seen.reason) == (Phase.FAILED, Reason.RUN_TIMEOUT)
        assert seen.failure is FailureClass.TIMEOUT


def test_a_processing_job_that_took_all_its_time_has_timed_out() -> None:
    # Given one that no status tells of
    job = replace(JOB, status="Stopped", started=BEGAN, limit_seconds=60)

    # Then its times do
    assert observation(replace(job, ended=BEGAN + timedelta(seconds=61))).reason is Reason.RUN_TIMEOUT
    assert observation(replace(job, ended=BEGAN + timedelta(seconds=59))).phase is Phase.CANCELLED
    assert observation(replace(job, ended=BEGAN + timedelta(seconds=61)), is_wanted=True).phase is Phase.CANCELLED


def test_spot_instances_that_did_not_come_back_are_preemption() -> None:
    job = replace(JOB, status="Stopped", secondary="MaxWaitTimeExceeded", was_interrupted=True)
    seen = observation(job)
    assert (seen.reason, seen.failure) == (Reason.PREEMPTED, FailureClass.PREEMPTED)


@pytest.mark.parametrize(
    ("why", "reason", "failure", "code"),
    [
        ("AlgorithmError: , exit code: 1", Reason.EXITED, FailureClass.USER, 1),
        ("AlgorithmError: Exit Code: 139", Reason.EXITED, FailureClass.USER, 139),
        ("AlgorithmError: , exit code: 143", Reason.EXITED, FailureClass.INFRA, 143),
        ('AlgorithmError: ExecuteUserScriptError:\nExitCode 2\nErrorMessage "x"', Reason.EXITED, FailureClass.USER, 2),
        ("AlgorithmError: See job logs for more information", Reason.EXITED, FailureClass.USER, None),
        (
            "AlgorithmError: OutOfMemoryError: Please use an instance type with more memory, exit code: 137",
            *(Reason.OUT_OF_MEMORY, FailureClass.USER, 137),
        ),
        (
            "ClientError: Please use an instance type with more memory, or reduce the size of job data",
            *(Reason.OUT_OF_MEMORY, FailureClass.USER, None),
        ),
        (
            "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML "
            "instance type.",
            *(Reason.UNSCHEDULABLE, FailureClass.INFRA, None),
        ),
        (
            "InternalServerError: We encountered an internal error. Please try again.",
            *(Reason.TARGET_UNAVAILABLE, FailureClass.INFRA, None),
        ),
        (
            "ClientError: Cannot pull image 1.dkr.ecr.eu-west-1.amazonaws.com/a:b: manifest unknown",
            *(Reason.IMAGE_UNAVAILABLE, FailureClass.CONFIG, None),
        ),
        (
            "ClientError: Data download failed: NoSuchKey (404): The specified key does not exist",
            *(Reason.CONFIG_INVALID, FailureClass.CONFIG, None),
        ),
        (
            "ResourceLimitExceeded: The account-level service limit 'ml.p3.2xlarge' is 0 Instances",
            *(Reason.TARGET_REFUSED, FailureClass.CONFIG, None),
        ),
        ("Something new", Reason.EXITED, FailureClass.INFRA, None),
        ("", Reason.EXITED, FailureClass.INFRA, None),
    ],
)
def test_a_failure_tells_whose_fault_it_is(why: str, reason: Reason, failure: FailureClass, code: int | None) -> None:
    seen = observation(replace(JOB, status="Failed", secondary="Failed", why=why))

    assert (seen.phase, seen.reason, seen.failure, seen.exit_code) == (Phase.FAILED, reason, failure, code)
    assert (why or "no reason") in seen.text


def test_what_a_processing_job_has_left_for_its_readers_is_told() -> None:
    seen = observation(replace(JOB, status="Failed", why="AlgorithmError: x", exit_message="no such column\n"))
    assert "no such column" in seen.text
