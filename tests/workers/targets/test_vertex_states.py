"""What each state of a custom job is for its run, and whose fault a failure is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud.aiplatform_v1.types import JobState
from google.rpc.code_pb2 import Code

from broker_config.states import FailureClass, Reason
from workers.targets.protocol import Observation, Phase
from workers.targets.vertex.jobs import ENDS, Job
from workers.targets.vertex.states import BY_STATE, Circumstances, observation

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
JOB = Job("projects/1/locations/l/customJobs/1", "launchyard-r-1", 0, started=BEGAN, ended=BEGAN + DAY)


def seen(state: JobState, known: Circumstances | None = None, **more: object) -> Observation:
    return observation(replace(JOB, state=int(state), **more), known)  # type: ignore[arg-type]


def failed(error: str, code: int = Code.INVALID_ARGUMENT) -> tuple[Reason, FailureClass | None, int | None]:
    told = seen(JobState.JOB_STATE_FAILED, error=error, error_code=code)
    assert told.phase is Phase.FAILED
    return told.reason, told.failure, told.exit_code


def test_every_state_of_the_service_is_known_and_its_end_is_an_end() -> None:
    for state in JobState:
        told = seen(state)
        assert "in state" not in told.text
        assert told.phase.is_end is (state in ENDS)
    assert {*BY_STATE} | {*ENDS} == {*JobState}


def test_a_state_is_the_number_that_the_message_has_and_not_its_text() -> None:
    assert seen(JobState.JOB_STATE_SUCCEEDED).phase is Phase.SUCCEEDED
    assert observation(replace(JOB, state=4)).phase is Phase.SUCCEEDED


def test_a_state_that_is_newer_than_this_version_ends_no_run() -> None:
    assert not observation(replace(JOB, state=99)).phase.is_end


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        ("1", 1, FailureClass.USER),
        ("13", 13, FailureClass.USER),
        ("137", 137, FailureClass.INFRA),
        ("137(SIGKILL)", 137, FailureClass.INFRA),
        ("15(SIGTERM)", 143, FailureClass.INFRA),
        ("139(SIGSEGV)", 139, FailureClass.USER),
        ("11(SIGSEGV)", 139, FailureClass.USER),
    ],
)
def test_a_replicas_exit_code_is_the_runs(status: str, code: int, failure: FailureClass) -> None:
    error = f"The replica workerpool0-0 exited with a non-zero status of {status}. To find out more about why"

    assert failed(error) == (Reason.EXITED, failure, code)


@pytest.mark.parametrize(
    ("error", "code", "reason", "failure"),
    [
        (
            "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of 9(SIGKILL).",
            *(Code.INVALID_ARGUMENT, Reason.OUT_OF_MEMORY, FailureClass.USER),
        ),
        (
            "The job was preempted: the Spot VMs of workerpool0 were taken back.",
            *(Code.UNAVAILABLE, Reason.PREEMPTED, FailureClass.PREEMPTED),
        ),
        (
            "Resources are insufficient in region: us-central1. Please try a different region.",
            *(Code.RESOURCE_EXHAUSTED, Reason.UNSCHEDULABLE, FailureClass.INFRA),
        ),
        (
            "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus",
            *(Code.RESOURCE_EXHAUSTED, Reason.TARGET_REFUSED, FailureClass.INFRA),
        ),
        (
            "The image europe-docker.pkg.dev/research/images/train:1 cannot be pulled.",
            *(Code.FAILED_PRECONDITION, Reason.IMAGE_UNAVAILABLE, FailureClass.CONFIG),
        ),
        (
            "Machine type a3-highgpu-8g is not supported.",
            *(Code.INVALID_ARGUMENT, Reason.CONFIG_INVALID, FailureClass.CONFIG),
        ),
        ("Internal error occurred.", Code.INTERNAL, Reason.TARGET_UNAVAILABLE, FailureClass.INFRA),
        ("", 0, Reason.TARGET_UNAVAILABLE, FailureClass.INFRA),
    ],
)
def test_a_failure_is_told_by_whose_fault_it_is(error: str, code: int, reason: Reason, failure: FailureClass) -> None:
    told = seen(JobState.JOB_STATE_FAILED, error=error, error_code=code)

    assert (told.reason, told.failure) == (reason, failure)
    assert (error or "no reason") in told.text


def test_a_cancel_is_told_apart_by_who_wanted_it() -> None:
    ours = seen(JobState.JOB_STATE_CANCELLED, Circumstances(is_wanted=True))
    theirs = seen(JobState.JOB_STATE_CANCELLED, Circumstances(limit=2 * DAY))

    assert ours.phase is theirs.phase is Phase.CANCELLED
    assert "Launchyard did not" in theirs.text
    assert "Launchyard did not" not in ours.text


def test_a_job_that_failed_while_it_was_cancelled_is_cancelled_unless_it_had_ended_by_itself() -> None:
    wanted = Circumstances(is_wanted=True)

    assert seen(JobState.JOB_STATE_FAILED, wanted, error="Internal error.").phase is Phase.CANCELLED
    exited = "The replica workerpool0-0 exited with a non-zero status of 3."
    assert seen(JobState.JOB_STATE_FAILED, wanted, error=exited).exit_code == 3


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        (JobState.JOB_STATE_CANCELLED, "", 0),
        (JobState.JOB_STATE_EXPIRED, "", 0),
        (JobState.JOB_STATE_FAILED, "The job has exceeded its maximum running time.", Code.CANCELLED),
        (JobState.JOB_STATE_FAILED, "", Code.DEADLINE_EXCEEDED),
    ],
)
def test_a_job_that_ran_for_all_its_time_is_a_timeout(state: JobState, error: str, code: int) -> None:
    told = seen(state, Circumstances(limit=DAY), error=error, error_code=code)

    assert (told.phase, told.reason, told.failure) == (Phase.FAILED, Reason.RUN_TIMEOUT, FailureClass.TIMEOUT)


def test_a_job_that_expired_before_it_had_machines_did_not_start_in_time() -> None:
    told = seen(JobState.JOB_STATE_EXPIRED, started=None)

    assert (told.reason, told.failure) == (Reason.START_TIMEOUT, FailureClass.TIMEOUT)
    assert "max_wait_duration" in told.text
