"""Where a run is and why, as one sentence."""

from __future__ import annotations

from broker_config.runs import Run
from broker_config.states import State
from producer.readable import age, counted


def of(run: Run, ahead: int | None) -> str:
    """The sentence. `ahead` says how many of its queue are before a run that waits in line."""
    attempt = f", in attempt {run.attempt}" if run.attempt > 1 else ""
    took = f" after {age(run.started_at, run.ended_at)}" if run.started_at and run.ended_at else ""
    queue = run.spec.queue.full_name
    match run.state:
        case State.QUEUED:
            said = f"Waits on queue {queue}{_place(ahead)} for {age(run.since)}{attempt}."
        case State.RUNNING:
            said = f"Runs for {age(run.started_at or run.since)} under agent {run.agent}{attempt}."
        case State.SUCCEEDED:
            said = f"Succeeded{took}{attempt}."
        case State.FAILED:
            said = f"Failed{took}{attempt}."
        case State.CANCELLED | State.PREEMPTED:
            said = f"Was {run.state}{took}{attempt}."
        case _:
            said = f"Is {run.state} for {age(run.since)} under agent {run.agent}{attempt}."
    wish = f" {run.cancel_requested_by} asked to cancel it." if run.cancel_requested_by and run.state.is_live else ""
    return f"{said} {run.text}{wish}".strip()


def _place(ahead: int | None) -> str:
    if ahead is None:
        return ""
    return f" behind {counted(ahead, 'other', 'others')}" if ahead else " as the next one"
