"""What a job's state means: Slurm's words in the words that all platforms share, and whose fault a failure is.

Source: "Job state codes" and "Job reason codes" in squeue(1) of Slurm 24.05.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from broker_config.states import FailureClass, Reason
from launchyard_slurm.commands import Job
from workers.targets.exit_codes import failure_of
from workers.targets.protocol import Observation, Phase

_S, _R, _F = Phase.STARTING, Phase.RUNNING, Phase.FAILED
_INFRA = FailureClass.INFRA

SUBMITTED = Observation(_S, Reason.STARTING, "Slurm has accepted the job.")

STATES: Mapping[str, Observation] = {
    "PENDING": Observation(_S, Reason.STARTING, "The job waits in Slurm's queue."),
    "CONFIGURING": Observation(_S, Reason.STARTING, "Slurm has nodes for the job and makes them ready."),
    "REQUEUED": Observation(_S, Reason.NOT_ADMITTED, "Slurm puts the job into its queue again."),
    "REQUEUE_FED": Observation(_S, Reason.NOT_ADMITTED, "The federation puts the job into its queue again."),
    "REQUEUE_HOLD": Observation(_S, Reason.NOT_ADMITTED, "Slurm holds the job; `scontrol release` lets it go."),
    "SPECIAL_EXIT": Observation(_S, Reason.NOT_ADMITTED, "Slurm holds the job in a special state of this cluster's."),
    "RESV_DEL_HOLD": Observation(_S, Reason.NOT_ADMITTED, "Slurm holds the job: its reservation was deleted."),
    "RUNNING": Observation(_R, Reason.RUNNING, "The job is running."),
    "RESIZING": Observation(_R, Reason.RUNNING, "The job is running, and changes its size."),
    "SIGNALING": Observation(_R, Reason.RUNNING, "The job is running, and is being signalled."),
    "SUSPENDED": Observation(_R, Reason.RUNNING, "The job is suspended: others have its nodes for now."),
    "STOPPED": Observation(_R, Reason.RUNNING, "The job is stopped, and keeps its nodes."),
    "COMPLETING": Observation(_R, Reason.ENDING, "The job is ending."),
    "STAGE_OUT": Observation(_R, Reason.ENDING, "The job has ended, and its files are being brought out."),
    "COMPLETED": Observation(Phase.SUCCEEDED, Reason.EXITED, "The job ended with exit code 0.", 0),
    "FAILED": Observation(_F, Reason.EXITED, "The job has failed", failure=FailureClass.USER),
    "TIMEOUT": Observation(
        _F,
        Reason.RUN_TIMEOUT,
        "The job ran for longer than its time limit; `time` in the queue config or the run's overrides says how long.",
        failure=FailureClass.TIMEOUT,
    ),
    "DEADLINE": Observation(
        _F,
        Reason.RUN_TIMEOUT,
        "The job could not end by its deadline, which `deadline` in the queue config or the run's overrides says.",
        failure=FailureClass.TIMEOUT,
    ),
    "OUT_OF_MEMORY": Observation(
        _F,
        Reason.OUT_OF_MEMORY,
        "The job needed more memory than it has; `mem` in the queue config or the run's overrides says how much.",
        failure=FailureClass.USER,
    ),
    "PREEMPTED": Observation(
        _F, Reason.PREEMPTED, "Slurm gave the job's nodes to another job.", failure=FailureClass.PREEMPTED
    ),
    "NODE_FAIL": Observation(_F, Reason.TARGET_UNAVAILABLE, "A node of the job has failed.", failure=_INFRA),
    "BOOT_FAIL": Observation(_F, Reason.TARGET_UNAVAILABLE, "A node of the job could not boot.", failure=_INFRA),
    "LAUNCH_FAILED": Observation(_F, Reason.TARGET_UNAVAILABLE, "Slurm could not start the job.", failure=_INFRA),
    "RECONFIG_FAIL": Observation(
        _F, Reason.TARGET_UNAVAILABLE, "Slurm could not configure the job's nodes.", failure=_INFRA
    ),
    "REVOKED": Observation(_F, Reason.TARGET_UNAVAILABLE, "Another cluster has started the job.", failure=_INFRA),
    "CANCELLED": Observation(
        Phase.CANCELLED, Reason.CANCELLED_BY_USER, "Somebody cancelled the job at Slurm; Launchyard did not."
    ),
}
"""All states. What else is known of a job says more than some of them."""

ENDS = {state for state, seen in STATES.items() if seen.phase.is_end}

CANCELLED = Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, "The job was cancelled before its program began.")

LOST = Observation(
    _F,
    Reason.OBJECT_GONE,
    "Slurm does not know the job any more, and nothing says how it ended. Launch the run again.",
    failure=_INFRA,
)

PROGRAM_ENDED = {"COMPLETED", "FAILED"}
"""In these the program has ended by itself, and has written down how, but for one that could not be started."""

_NO_ROOM = re.compile("Resources|Priority|ReqNodeNotAvail|Node|Partition")
_WORD = re.compile("[A-Z_]+")


def observation(job: Job, ended: Mapping[str, Any] | None, *, is_cancelled: bool) -> Observation:
    """Where the run is. `ended` is what its job wrote down, `is_cancelled` whether the run was asked to end."""
    # A state that is newer than this table is none in which a job ends.
    told = STATES.get(job.state, Observation(_R, Reason.RUNNING, f"Slurm has the job in state {job.state}."))
    if job.state == "PENDING" and job.reason:
        reason = Reason.UNSCHEDULABLE if _NO_ROOM.search(job.reason) else Reason.NOT_ADMITTED
        return Observation(_S, reason, f"The job waits in Slurm's queue: {job.reason}.")
    if not told.phase.is_end:
        return told
    if ended is not None and (job.state in PROGRAM_ENDED or ended["cancelled"]):
        return of_program(ended)
    if is_cancelled and job.state in {"CANCELLED", "FAILED"}:
        return CANCELLED
    return _of_slurm(told, job)


def of_program(ended: Mapping[str, Any]) -> Observation:
    """How a program ended by itself."""
    code = ended["code"]
    if ended["failure"]:
        text = f"The program could not be started on the node: {ended['failure']}."
        return Observation(_F, Reason.CONFIG_INVALID, text, failure=FailureClass.USER)
    if ended["cancelled"]:
        return _cancelled(code, is_forced=ended["forced"])
    if code:
        return Observation(_F, Reason.EXITED, f"The job ended with exit code {code}.", code, failure_of(code))
    return STATES["COMPLETED"]


def _cancelled(code: int | None, *, is_forced: bool) -> Observation:
    if code is None:
        return CANCELLED
    how = ", by force because it did not end within its grace" if is_forced else ""
    text = f"The job was cancelled and ended with exit code {code}{how}."
    return Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, text, code)


def _of_slurm(told: Observation, job: Job) -> Observation:
    if job.state == "FAILED":
        # Its program did not come as far as to write it down.
        text = f"{told.text}: {job.reason or 'Slurm gives no reason'}" + (
            f", exit code {job.code}." if job.code else "."
        )
        return Observation(_F, Reason.EXITED, text, job.code, failure_of(job.code) if job.code else _INFRA)
    return told
