"""The step that changes a run's record, with its event, and all that follows from it in the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from redis.commands.core import Script

from broker_config import messages, results
from broker_config.connection import translated
from broker_config.errors import StaleWrite
from broker_config.priorities import first_place, list_key
from broker_config.runs import Run, now
from broker_config.states import Reason, State, may_change
from broker_config.store.alarms import milliseconds
from broker_config.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a run's record, and the event that tells of it. `state` may be the present one: a note."""

    state: State
    reason: Reason
    text: str
    actor: str
    fields: dict[str, Any] = field(default_factory=dict)
    fence: int | None = None  # of the agent that writes; None for a writer that holds no claim
    wish: bool = False  # wake the agent that holds the run


class Changer:
    """Writes changes of runs."""

    def __init__(self, keys: Keys, script: Script, retention_seconds: int) -> None:
        self._keys = keys
        self._script = script
        self._retention_seconds = retention_seconds

    def write(self, run: Run, change: Change) -> Run:
        """Write a change that was decided on `run`. See `RunStore.change`."""
        if run.state.is_terminal or (change.state is not run.state and not may_change(run.state, change.state)):
            raise ValueError(f"run {run.id} cannot go from {run.state} to {change.state}")
        at = now()
        fields = dict(change.fields)
        if change.state.is_terminal:
            fields["ended_at"] = at
        if _is_requeue(run, change):
            # The fence of the claim that ends here is worth nothing any more.
            fields["fence"] = 0
        with translated():
            version = self._script(
                keys=self._script_keys(run, fields), args=self._script_arguments(run, change, at, fields)
            )
        if not version:
            raise StaleWrite(f"run {run.id} changed since version {run.version} was read")
        return _after(run, change, at, fields).model_copy(update={"version": version})

    def _script_keys(self, run: Run, fields: dict[str, Any]) -> list[str]:
        keys, queue = self._keys, run.spec.queue.full_name
        return [
            keys.run(run.id),
            keys.run_spec(run.id),
            keys.run_events(run.id),
            keys.run_logs(run.id),
            keys.queue_waiting(queue),
            keys.queue_counts(queue),
            keys.agent_runs(run.agent),
            keys.ended,
            keys.wishes,
            list_key(queue, run.priority),
            results.key(run.id),
            # A run that no agent holds is in no agent's set: the change takes it out of the old one's.
            keys.agent_runs(fields.get("agent") or run.agent),
            keys.alarms,
            keys.run_dependents(run.id),
            *(keys.queue(queue), keys.queue_authors(queue), keys.queue_held(queue, run.spec.author)),
            *(keys.archives, keys.archive_holders(run.spec.job.archive)),
            keys.history,
        ]

    def _script_arguments(self, run: Run, change: Change, at: datetime, fields: dict[str, Any]) -> list[Any]:
        message = result = ""
        after = _after(run, change, at, fields)
        if _is_ordered(run, after):
            message = messages.encode(run.spec, run.spec.model_dump_json(), run.signature, run.priority)
        if change.state.is_terminal:
            result = results.ended(run.id, change.state, change.text, fields.get("exit_code"), at)
        return [
            run.id,
            run.version,
            "" if change.fence is None else change.fence,
            at.isoformat(),
            change.actor,
            change.state,
            change.reason,
            change.text,
            self._retention_seconds,
            time.time_ns() // 1000,
            "wish" if change.wish else "",
            message,
            result,
            milliseconds(after.alarm) if after.state is State.QUEUED and after.alarm else "",
            first_place(run.priority),
            run.spec.author,
            run.spec.job.archive,
            *(part for name, value in fields.items() for part in (name, _text(value))),
        ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _after(run: Run, change: Change, at: datetime, fields: dict[str, Any]) -> Run:
    """The run as the change leaves it."""
    moved = {"state": change.state, "since": at} if change.state is not run.state else {}
    return run.model_copy(update={**fields, **moved, "reason": change.reason, "text": change.text})


def _is_ordered(run: Run, after: Run) -> bool:
    """Whether a change gives the run an order: it goes back to its queue, or is held no longer."""
    return after.state is State.QUEUED and not after.hold and (run.state is not State.QUEUED or run.hold is not None)


def _is_requeue(run: Run, change: Change) -> bool:
    return change.state is State.QUEUED and run.state is not State.QUEUED
