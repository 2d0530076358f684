"""Queued runs that wait for something else than an agent: a time, other runs, a place, or the end of their patience.

Level triggered: the record and those of the runs that it waits for decide, whatever led here, and however often.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from broker_config.errors import StaleWrite
from broker_config.runs import Run, RunId, now
from broker_config.states import FailureClass, Hold, Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from workers.subject import about_run
from workers.verdict import Verdict, sentence

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 60.0
"""A run that waits for others is looked at when one of them ends, and so often in any case."""


def next_step(run: Run, others: Sequence[Run], at: datetime, *, has_place: bool = False) -> Verdict | None:
    """What becomes of a queued run whose alarm has come; None: it waits on.

    `others` are those of the runs that it waits for that still have a record; `has_place` says whether its author may
    run one more.
    """
    if run.hold is Hold.SLOT and has_place:
        return Verdict(State.QUEUED, Reason.DUE, f"{run.spec.author} may run one more on the queue.", {"hold": None})
    if run.hold in (None, Hold.SLOT):
        return _out_of_patience(run) if run.alarm and run.alarm <= at else None
    if run.hold is Hold.RUNS:
        return _after(run, others, at)
    if run.not_before and run.not_before > at:
        return None
    return Verdict(State.QUEUED, Reason.DUE, "Its time has come.", {"hold": None})


def _out_of_patience(run: Run) -> Verdict:
    # No retry: it would only wait once more where it has waited too long.
    text = sentence(run, Reason.QUEUE_TIMEOUT)
    return Verdict(State.FAILED, Reason.QUEUE_TIMEOUT, text, {"failure": FailureClass.TIMEOUT})


def _after(run: Run, others: Sequence[Run], at: datetime) -> Verdict | None:
    by_id = {other.id: other for other in others}
    for other_id in run.spec.after:
        other = by_id.get(other_id)
        if other is None or (other.state.is_terminal and other.state is not State.SUCCEEDED):
            became = f"{other.state}: {other.text}" if other else "there is no record of it any more"
            text = f"Run {other_id}, which has to succeed before, did not ({became})."
            return Verdict(State.FAILED, Reason.DEPENDENCY_FAILED, text, {"failure": FailureClass.CONFIG})
    if any(other.state is not State.SUCCEEDED for other in others):
        return None
    if run.not_before and run.not_before > at:
        text = "The runs that it waited for have succeeded; its time has not come."
        return Verdict(State.QUEUED, Reason.NOT_BEFORE, text, {"hold": Hold.TIME})
    text = "The runs that it waited for have succeeded."
    return Verdict(State.QUEUED, Reason.DUE, text, {"hold": None, "not_before": at})


class Holds:
    """Called by the agent's heartbeat. Any agent looks after the queued runs of all queues: it writes only records."""

    def __init__(self, store: Store, agent: str) -> None:
        self._store = store
        self._agent = agent

    def look(self) -> None:
        """Look at the runs whose alarms have come."""
        due = self._store.alarms.due()
        if not due:
            return
        runs = self._store.runs.get_many(list(due))
        # Those of one moment get their orders as they would have had them at their enqueue.
        for run in sorted(runs, key=lambda run: run.place):
            with about_run(run):
                self._look_at(run, due[run.id])
        for run_id in due.keys() - {run.id for run in runs}:
            self._store.alarms.put_off(RunId(run_id), due[run_id], None)

    def _look_at(self, run: Run, seen: float) -> None:
        at = now()
        step = self._next_step(run, at) if run.state is State.QUEUED else None
        if step is None:
            self._put_off(run, seen, at)
            return
        try:
            self._store.runs.change(run, Change(step.state, step.reason, step.text, self._agent, step.fields))
        except StaleWrite:
            # Another agent was first, or somebody cancelled it: what is left of the alarm is looked at again.
            return
        logger.info("run-held run=%s reason=%s", run.id, step.reason)

    def _next_step(self, run: Run, at: datetime) -> Verdict | None:
        others = self._store.runs.get_many(run.spec.after) if run.hold is Hold.RUNS else []
        waits_for_place = run.hold is Hold.SLOT
        has_place = waits_for_place and self._store.queues.has_place(run.spec.queue.full_name, run.spec.author)
        return next_step(run, others, at, has_place=has_place)

    def _put_off(self, run: Run, seen: float, at: datetime) -> None:
        until = None
        if run.state is State.QUEUED:
            until = at + timedelta(seconds=LOOK_AGAIN_SECONDS) if run.hold is Hold.RUNS else run.alarm
        self._store.alarms.put_off(run.id, seen, until)
