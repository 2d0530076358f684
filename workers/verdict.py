"""What the end of an attempt means for its run: it has ended, or it goes back to its queue for another attempt.

Pure: the record as it is now, and what was seen, decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker_config.runs import Run
from broker_config.states import FailureClass, Hold, Reason, State
from workers.targets.protocol import Observation, Phase

STATES = {Phase.SUCCEEDED: State.SUCCEEDED, Phase.FAILED: State.FAILED, Phase.CANCELLED: State.CANCELLED}

NEXT_ATTEMPT: dict[str, Any] = {
    **dict.fromkeys(("agent", "image", "submission", "request_digest"), ""),
    **dict.fromkeys(("image_origin", "build_seconds")),
    **dict.fromkeys(("submitted_at", "started_at", "end_reason", "exit_code", "failure")),
}
"""The fields in which the record tells of one attempt, as the next one begins with them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A change of the run's record."""

    state: State
    reason: Reason
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


def verdict(run: Run, seen: Observation, failure: FailureClass | None, now: datetime) -> Verdict:
    """What becomes of a live run whose attempt ended as seen; `failure` is set unless it succeeded."""
    reason, text = seen.reason, seen.text
    state = STATES[seen.phase]
    is_gone = seen.phase is Phase.CANCELLED or reason is Reason.OBJECT_GONE
    if is_gone and run.end_reason and not run.cancel_requested_by:
        # It was ended by its agent, not by a person; the text says why since the agent asked the target.
        state, reason, failure = State.FAILED, run.end_reason, end_class(run.end_reason)
        text = run.crash_evidence if reason is Reason.QUARANTINED else f"{sentence(run, reason)} {text}"
    if failure is FailureClass.PREEMPTED:
        state = State.PREEMPTED
    ended = Verdict(state, reason, text, {"exit_code": seen.exit_code, "failure": failure})
    return (failure and _next_attempt(run, failure, ended, now)) or ended


def _next_attempt(run: Run, failure: FailureClass, ended: Verdict, now: datetime) -> Verdict | None:
    # After a fault of the agent nobody knows whether the submitted job runs, so a second one must not start.
    is_unknown = ended.reason is Reason.AGENT_FAULT and run.submission
    if is_unknown or run.cancel_requested_by or ended.reason is Reason.QUARANTINED:
        return None
    used = run.retries(failure)
    delay = run.spec.retries.delay(failure, ended.fields["exit_code"], used)
    if delay is None:
        return None
    what = "Preempted" if failure is FailureClass.PREEMPTED else f"Failed ({failure}, {ended.reason})"
    budget = getattr(run.spec.retries, failure)
    return Verdict(
        State.QUEUED,
        Reason.PREEMPTED if failure is FailureClass.PREEMPTED else Reason.RETRYING,
        f"{what}: {ended.text} Attempt {run.attempt + 1} follows in {delay:g} s, retry {used + 1} of {budget}.",
        {
            **NEXT_ATTEMPT,
            "attempt": run.attempt + 1,
            f"retries_{failure}": used + 1,
            # Held even for no time at all, so that the order comes after this agent has let the run go.
            "hold": Hold.TIME,
            "not_before": now + timedelta(seconds=delay),
        },
    )


def end_class(reason: Reason) -> FailureClass:
    """The failure class of a run that its agent has ended."""
    return FailureClass.INFRA if reason is Reason.QUARANTINED else FailureClass.TIMEOUT


def sentence(run: Run, reason: Reason) -> str:
    """Which limit of the run's was passed, and who sets it."""
    limits = run.spec.timeouts
    what, limit = {
        Reason.QUEUE_TIMEOUT: ("waited for an agent longer than its queue timeout", limits.queued),
        Reason.BUILD_TIMEOUT: ("was built for longer than its build timeout", limits.build),
        Reason.START_TIMEOUT: ("did not run within its start timeout", limits.start),
        Reason.RUN_TIMEOUT: ("ran longer than its run timeout", limits.run),
    }[reason]
    if limit is None:
        # Only a start may be limited by the agent, where the queue says nothing of it.
        return f"The run {what}; see start_timeout in its agent's config."
    return f"The run {what} of {limit:g} s, which queue {run.spec.queue.full_name} or the launch sets."
