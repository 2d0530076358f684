"""The words for where a run is, and for why: its states, its reasons, whose fault its end is, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a run is. Terminal states are sticky."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    BUILDING = "building"
    SUBMITTING = "submitting"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL

    @property
    def is_live(self) -> bool:
        """Whether an agent holds the run."""
        return self is not State.QUEUED and self not in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.PREEMPTED})

_ORDER = (State.QUEUED, State.CLAIMED, State.BUILDING, State.SUBMITTING, State.STARTING, State.RUNNING)

TRANSITIONS: Mapping[State, frozenset[State]] = {
    # Forward only; steps may be skipped (a prebuilt image is never `building`). Whatever is live may go back to
    # `queued` for another attempt.
    state: frozenset(_ORDER[place + 1 :]) | TERMINAL | (frozenset({State.QUEUED}) if place else frozenset())
    for place, state in enumerate(_ORDER)
}


def may_change(old: State, new: State) -> bool:
    """Whether a run may go from one state to the other."""
    return new in TRANSITIONS.get(old, frozenset())


class FailureClass(StrEnum):
    """Whose fault an end is; retries are counted by class."""

    USER = "user"
    CONFIG = "config"
    BUILD = "build"
    INFRA = "infra"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


class Reason(StrEnum):
    """Why a run is where it is. Stable: scripts and dashboards may depend on these."""

    ENQUEUED = "enqueued"
    CLAIMED = "claimed"
    SOURCE_PINNED = "source-pinned"  # its commit or digest is known, and every attempt runs that
    ADOPTED = "adopted"
    RECOVERED = "recovered"  # its record was lost, and written anew from what the target has
    RELEASED = "released"  # its agent has stopped, and another one may adopt it
    CONTACT_LOST = "contact-lost"  # its agent is silent, and no other one can follow the job
    BUILDING = "building"
    SUBMITTING = "submitting"
    STARTING = "starting"
    UNSCHEDULABLE = "unschedulable"  # no node takes it for now, or at all
    NOT_ADMITTED = "not-admitted"  # a queue of the platform's own holds it, such as Kueue's
    RUNNING = "running"
    EXITED = "exited"  # the job's own exit code says how
    OUT_OF_MEMORY = "out-of-memory"
    CANCEL_REQUESTED = "cancel-requested"
    ENDING = "ending"  # its target was asked to end the job
    CANCELLED_BY_USER = "cancelled-by-user"
    CONFIG_INVALID = "config-invalid"
    SOURCE_UNAVAILABLE = "source-unavailable"
    BUILD_FAILED = "build-failed"
    IMAGE_UNAVAILABLE = "image-unavailable"
    TARGET_REFUSED = "target-refused"
    TARGET_UNAVAILABLE = "target-unavailable"
    NAME_TAKEN = "name-taken"
    UNSIGNED = "unsigned"  # its agent takes signed runs only, and this one is not, or not as it has to be
    PLAN_DIFFERS = "plan-differs"  # the request is another one than the plan that was launched has
    OBJECT_GONE = "object-gone"
    AGENT_FAULT = "agent-fault"
    REQUEUED = "requeued"
    NOT_BEFORE = "not-before"  # queued, and held until its time
    AFTER = "after"  # queued, and held until other runs have succeeded
    WAITING_FOR_SLOT = "waiting-for-slot"  # queued, and as many runs as may be are live
    PRIORITY_CHANGED = "priority-changed"  # queued, and its place among those that wait is another one
    DUE = "due"  # no longer held
    DEPENDENCY_FAILED = "dependency-failed"
    RETRYING = "retrying"  # the attempt failed, and the next one follows
    PREEMPTED = "preempted"  # the platform took the resources back, and the next attempt follows
    QUARANTINED = "quarantined"  # it ended too many agents
    QUEUE_TIMEOUT = "queue-timeout"
    BUILD_TIMEOUT = "build-timeout"
    START_TIMEOUT = "start-timeout"
    RUN_TIMEOUT = "run-timeout"


class Hold(StrEnum):
    """What a queued run without an order waits for."""

    TIME = "time"
    RUNS = "runs"
    SLOT = "slot"  # until its author may run one more on the queue
