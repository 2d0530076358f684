"""How far a job is: Vertex AI's states in the words that all platforms share, and whose fault a failure is.

Sources: `JobState`, `Scheduling` and `google.rpc.Code` in the API; "Understand the custom training service"; and
errors of jobs as users have reported them. A state is compared as the number that it is.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from google.cloud.aiplatform_v1.types import JobState
from google.rpc.code_pb2 import Code

from broker_config.states import FailureClass, Reason
from workers.targets.exit_codes import failure_of
from workers.targets.protocol import Observation, Phase
from workers.targets.vertex.jobs import Job

STARTING = Observation(Phase.STARTING, Reason.STARTING, "Vertex AI is preparing the job's machines.")
RUNNING = Observation(Phase.RUNNING, Reason.RUNNING, "The job is running.")

BY_STATE: Mapping[int, Observation] = {
    JobState.JOB_STATE_UNSPECIFIED: replace(STARTING, text="Vertex AI has accepted the job."),
    JobState.JOB_STATE_QUEUED: Observation(
        Phase.STARTING,
        Reason.UNSCHEDULABLE,
        "The job is queued at Vertex AI: for a moment, or until the project's quota has room for it.",
    ),
    JobState.JOB_STATE_PENDING: STARTING,
    JobState.JOB_STATE_RUNNING: RUNNING,
    JobState.JOB_STATE_UPDATING: replace(RUNNING, text="Vertex AI is updating the job, which runs."),
    JobState.JOB_STATE_PAUSED: replace(STARTING, text="The job is paused at Vertex AI, and can be resumed there."),
    JobState.JOB_STATE_SUCCEEDED: Observation(Phase.SUCCEEDED, Reason.EXITED, "The job has succeeded.", 0),
    JobState.JOB_STATE_CANCELLING: Observation(
        Phase.RUNNING, Reason.ENDING, "Vertex AI is cancelling the job; what does not end is ended by force."
    ),
}
"""All but those of which more is to be known than the state."""

CANCELLED = Observation(
    Phase.CANCELLED,
    Reason.CANCELLED_BY_USER,
    "Vertex AI cancelled the job: it was asked to end, and would have been ended by force.",
)
CANCELLED_THERE = Observation(
    Phase.CANCELLED, Reason.CANCELLED_BY_USER, "Somebody cancelled the job at Vertex AI; Launchyard did not."
)

_EXIT_CODE = re.compile(r"non-zero (?:exit )?(?:status|code)(?: code)?(?: of)?:? *(\d+)(\(SIG[A-Z]+\))?", re.IGNORECASE)
_MEMORY = re.compile(r"out[- ]of[- ]memory|\bOOM\b", re.IGNORECASE)
_PREEMPTED = re.compile(r"pre-?empt", re.IGNORECASE)
_IMAGE = re.compile(r"\b(image|artifact registry|container registry|manifest)\b", re.IGNORECASE)
_QUOTA = re.compile(r"quota", re.IGNORECASE)
_TIMEOUT = re.compile(r"timed? ?out|timeout|deadline|maximum (?:job )?running time", re.IGNORECASE)

_CONFIG_CODES = {Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.PERMISSION_DENIED, Code.NOT_FOUND}
_SIGNALLED = 128
"""Added by a shell to the number of the signal that ended a program; Vertex AI tells it with and without."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of an end besides the job itself."""

    is_wanted: bool = False  # Launchyard had asked for it
    limit: timedelta | None = None  # how long the job could run


def observation(job: Job, circumstances: Circumstances | None = None) -> Observation:
    """Where the run is."""
    known = circumstances or Circumstances()
    match job.state:
        case JobState.JOB_STATE_FAILED:
            return _failed(job, known)
        case JobState.JOB_STATE_CANCELLED:
            return _cancelled(job, known)
        case JobState.JOB_STATE_EXPIRED:
            return _expired(job)
        case JobState.JOB_STATE_PARTIALLY_SUCCEEDED:
            text = f"Vertex AI says that some of the job's results may be missing: {job.error or 'it gives no reason'}"
            return Observation(Phase.FAILED, Reason.EXITED, text, failure=FailureClass.USER)
    # A state that is newer than this table is none in which a job of this version's would end.
    return BY_STATE.get(job.state, replace(RUNNING, text=f"Vertex AI has the job in state {job.state}."))


def _cancelled(job: Job, known: Circumstances) -> Observation:
    if known.is_wanted:
        return CANCELLED
    return _timeout("and Vertex AI cancelled it") if _ran_its_time(job, known) else CANCELLED_THERE


def _timeout(what: str) -> Observation:
    text = (
        f"The job ran for longer than its timeout, {what}; the queue config or the run's overrides say how long it may "
        "take."
    )
    return Observation(Phase.FAILED, Reason.RUN_TIMEOUT, text, failure=FailureClass.TIMEOUT)


def _ran_its_time(job: Job, known: Circumstances) -> bool:
    if job.started is None or job.ended is None or known.limit is None:
        return False
    return job.ended - job.started >= known.limit


def _expired(job: Job) -> Observation:
    if job.started is not None:
        return _timeout("and Vertex AI let it expire")
    text = (
        "The job expired at Vertex AI before there were machines for it; max_wait_duration in the queue config or the "
        "run's overrides says how long it may wait."
    )
    return Observation(Phase.FAILED, Reason.START_TIMEOUT, text, failure=FailureClass.TIMEOUT)


def _failed(job: Job, known: Circumstances) -> Observation:
    if known.is_wanted and not _EXIT_CODE.search(job.error):
        return CANCELLED
    if job.error_code == Code.DEADLINE_EXCEEDED or (_ran_its_time(job, known) and _TIMEOUT.search(job.error)):
        return _timeout("and Vertex AI ended it")
    text = f"Vertex AI says: {job.error.strip() or 'it gives no reason'}"
    code = _exit_code(job.error)
    reason, failure = _blame(job, code)
    return Observation(Phase.FAILED, reason, text, code, failure)


def _exit_code(words: str) -> int | None:
    """The exit code of the replica that is named first, as a shell tells it."""
    found = _EXIT_CODE.search(words)
    if found is None:
        return None
    code = int(found[1])
    return _SIGNALLED + code if found[2] and code < signal.NSIG else code


def _blame(job: Job, code: int | None) -> tuple[Reason, FailureClass]:
    """Why a job failed, and whose fault it is."""
    if _MEMORY.search(job.error):
        return Reason.OUT_OF_MEMORY, FailureClass.USER
    if _PREEMPTED.search(job.error):
        return Reason.PREEMPTED, FailureClass.PREEMPTED
    if code is not None:
        return Reason.EXITED, failure_of(code)
    if job.error_code == Code.RESOURCE_EXHAUSTED:
        # Of the region's machines; what lacks for ever is the project's quota.
        is_quota = bool(_QUOTA.search(job.error))
        return (Reason.TARGET_REFUSED if is_quota else Reason.UNSCHEDULABLE), FailureClass.INFRA
    if job.error_code in _CONFIG_CODES:
        return (Reason.IMAGE_UNAVAILABLE if _IMAGE.search(job.error) else Reason.CONFIG_INVALID), FailureClass.CONFIG
    # With what Vertex AI has not said so far, no fault of the job's is known.
    return Reason.TARGET_UNAVAILABLE, FailureClass.INFRA
