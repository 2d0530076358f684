"""How far a job is: SageMaker's statuses in the words that all platforms share, and whose fault a failure is.

Sources: `DescribeTrainingJob` and `SecondaryStatusTransition` in the API reference, "Troubleshooting" in the developer
guide, and reasons of failures as users have reported them. SageMaker writes one as `KIND: text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from broker_config.states import FailureClass, Reason
from workers.targets.exit_codes import failure_of
from workers.targets.protocol import Observation, Phase
from workers.targets.sagemaker.jobs import Job

STOP_SECONDS = 120
"""Between SIGTERM and the end by force, for every job; nobody can choose another time (`StopTrainingJob`)."""

STARTING = Observation(Phase.STARTING, Reason.STARTING, "SageMaker has accepted the job.")
RUNNING = Observation(Phase.RUNNING, Reason.RUNNING, "The job is running.")
ENDING = Observation(
    Phase.RUNNING, Reason.ENDING, f"SageMaker is stopping the job; it is ended by force after {STOP_SECONDS} s."
)

IN_PROGRESS: Mapping[str, Observation] = {
    "Starting": replace(STARTING, text="SageMaker is starting the job's instances."),
    "Pending": Observation(Phase.STARTING, Reason.UNSCHEDULABLE, "The job waits for instances."),
    "LaunchingMLInstances": replace(STARTING, text="SageMaker is starting the job's instances."),
    "PreparingTrainingStack": replace(STARTING, text="SageMaker is preparing the job's instances."),
    "Downloading": replace(STARTING, text="The job's data are being downloaded."),
    "DownloadingTrainingImage": replace(STARTING, text="The job's image is being downloaded."),
    "Training": RUNNING,
    "Updating": RUNNING,
    "Interrupted": Observation(
        Phase.STARTING, Reason.PREEMPTED, "The spot instances were taken back; SageMaker waits for others."
    ),
    "Restarting": replace(STARTING, text="SageMaker is starting the job again, as its RetryStrategy says."),
    "Uploading": replace(RUNNING, text="The job's program has ended, and its output is being uploaded."),
}
"""By secondary status, while the primary one is `InProgress`. One that is not here says nothing more than that."""

CANCELLED = Observation(
    Phase.CANCELLED,
    Reason.CANCELLED_BY_USER,
    f"SageMaker stopped the job: it was asked to end, and would have been ended by force after {STOP_SECONDS} s.",
)
STOPPED = Observation(
    Phase.CANCELLED,
    Reason.CANCELLED_BY_USER,
    "Somebody stopped the job at SageMaker; Launchyard did not.",
)

_EXIT_CODE = re.compile(r"exit ?code:? *(\d+)", re.IGNORECASE)
_MEMORY = re.compile(r"OutOfMemory|out of memory|more memory", re.IGNORECASE)
_IMAGE = re.compile(r"\b(image|ecr|manifest|registry)\b", re.IGNORECASE)
_OF_THE_PLATFORM = {"CapacityError": Reason.UNSCHEDULABLE, "InternalServerError": Reason.TARGET_UNAVAILABLE}
_QUOTA = re.compile(r"ResourceLimitExceeded|service limit|quota", re.IGNORECASE)


def observation(job: Job, *, is_wanted: bool = False) -> Observation:
    """Where the run is; `is_wanted`: whether Launchyard had asked for the job's end."""
    match job.status:
        case "Completed":
            return Observation(Phase.SUCCEEDED, Reason.EXITED, "The job has completed.", 0)
        case "Failed":
            return _failed(job)
        case "Stopping":
            return ENDING
        case "Stopped":
            return _stopped(job, is_wanted)
    return _in_progress(job)


def _in_progress(job: Job) -> Observation:
    if not job.secondary:
        # A processing job has only its times.
        return RUNNING if job.started else STARTING
    seen = IN_PROGRESS.get(job.secondary, STARTING)
    if seen.phase is Phase.STARTING and job.message:
        return replace(seen, text=f"{seen.text} SageMaker says: {job.message}")
    return seen


def _stopped(job: Job, is_wanted: bool) -> Observation:
    if job.secondary == "MaxWaitTimeExceeded":
        what = "MaxWaitTimeInSeconds, which the queue config or the run's overrides set, was over"
        if job.was_interrupted:
            text = f"The spot instances were taken back, and {what} before there were others."
            return Observation(Phase.FAILED, Reason.PREEMPTED, text, failure=FailureClass.PREEMPTED)
        text = f"{what} before the job had ended."
        return Observation(Phase.FAILED, Reason.RUN_TIMEOUT, text, failure=FailureClass.TIMEOUT)
    if job.secondary == "MaxRuntimeExceeded" or (not is_wanted and _ran_its_time(job)):
        text = (
            "The job ran for longer than its MaxRuntimeInSeconds, and SageMaker stopped it; the queue config or the "
            "run's overrides say how long it may take."
        )
        return Observation(Phase.FAILED, Reason.RUN_TIMEOUT, text, failure=FailureClass.TIMEOUT)
    return CANCELLED if is_wanted else STOPPED


def _ran_its_time(job: Job) -> bool:
    """Whether a processing job took all the time that it had: no status says so."""
    if job.secondary or not (job.started and job.ended and job.limit_seconds):
        return False
    return (job.ended - job.started).total_seconds() >= job.limit_seconds


def _failed(job: Job) -> Observation:
    said = job.why.strip() or "it gives no reason"
    text = f"SageMaker says: {said}"
    if job.exit_message:
        text += f" The job says: {job.exit_message.strip()}"
    kind, _, rest = said.partition(":")
    found = _EXIT_CODE.search(rest)
    code = int(found[1]) if found else None
    reason, failure = _blame(kind, rest, code)
    return Observation(Phase.FAILED, reason, text, code, failure)


def _blame(kind: str, words: str, code: int | None) -> tuple[Reason, FailureClass]:
    """Why a job failed, and whose fault it is."""
    if _MEMORY.search(words):
        return Reason.OUT_OF_MEMORY, FailureClass.USER
    if kind == "AlgorithmError" or code is not None:
        return Reason.EXITED, failure_of(code)
    if kind == "ResourceLimitExceeded" or _QUOTA.search(words):
        return Reason.TARGET_REFUSED, FailureClass.CONFIG
    if kind == "ClientError":
        return (Reason.IMAGE_UNAVAILABLE if _IMAGE.search(words) else Reason.CONFIG_INVALID), FailureClass.CONFIG
    # With what SageMaker has not said so far, no fault of the job's is known.
    return _OF_THE_PLATFORM.get(kind, Reason.EXITED), FailureClass.INFRA
