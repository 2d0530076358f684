"""The limits on the start and on the run time of submitted jobs.

A job that passed one is ended at its target first, as a cancelled one is, and its run is recorded as timed out when the
target says that it is gone. The clock is on the record, so that it goes on when another agent adopts the run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from broker_config.errors import StaleWrite
from broker_config.runs import Run, now
from broker_config.states import Reason, State
from broker_config.store.runs import RunStore
from broker_config.timeouts import Timeouts
from workers.record import Recorder
from workers.subject import about_run
from workers.verdict import sentence

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
"""How often the target is asked to end what has to end."""


def passed(run: Run, limits: Timeouts, at: datetime) -> Reason | None:
    """The limit that a submitted run has passed; None when it has passed none."""
    if run.state is State.RUNNING:
        return Reason.RUN_TIMEOUT if _is_over(run.started_at, limits.run, at) else None
    return Reason.START_TIMEOUT if _is_over(run.submitted_at, limits.start, at) else None


def next_look(run: Run, limits: Timeouts, at: datetime) -> datetime | None:
    """The earliest time at which a submitted run can pass a limit; None when it has none left."""
    if run.end_reason:
        return at + timedelta(seconds=AGAIN_SECONDS)
    if run.state is State.RUNNING:
        return _plus(run.started_at or at, limits.run)
    # It may begin to run at any time, unseen by this module.
    looks = [look for look in (_plus(run.submitted_at or at, limits.start), _plus(at, limits.run)) if look]
    return min(looks, default=None)


def _is_over(since: datetime | None, limit: float | None, at: datetime) -> bool:
    return since is not None and limit is not None and (at - since).total_seconds() >= limit


def _plus(time: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else time + timedelta(seconds=seconds)


class Deadlines:
    """Called by the agent's heartbeat. Reads a record when a limit may have been passed, and not before."""

    def __init__(
        self,
        runs: RunStore,
        recorder: Recorder,
        end_at_target: Callable[[Run], None],
        start_timeout: float | None,
    ) -> None:
        """`start_timeout` holds for runs whose queue and job say nothing of it, in seconds."""
        self._runs = runs
        self._recorder = recorder
        self._end_at_target = end_at_target
        self._start_timeout = start_timeout
        self._looks: dict[str, datetime] = {}
        self._ending: set[str] = set()
        self._lock = threading.Lock()

    def follow(self, run: Run) -> None:
        """Look after a run that is about to be submitted, or was, until `forget`."""
        limits = self._limits(run)
        if run.end_reason:
            self._ending.add(run.id)
        if run.end_reason or limits.start or limits.run:
            with self._lock:
                # At once: a run that was adopted may have passed its limits.
                self._looks[run.id] = now()

    def forget(self, run_id: str) -> None:
        """The run has ended, or is another agent's."""
        with self._lock:
            self._looks.pop(run_id, None)
        self._ending.discard(run_id)

    def is_ending(self, run_id: str) -> bool:
        """Whether the run has to end, so that it must not be submitted."""
        return run_id in self._ending

    def check(self) -> None:
        """End what has passed a limit."""
        at = now()
        with self._lock:
            due = [run_id for run_id, look in self._looks.items() if look <= at]
        for run in self._runs.get_many(due) if due else ():
            if run.state.is_live:
                with about_run(run):
                    self._check(run, at)

    def _limits(self, run: Run) -> Timeouts:
        limits = run.spec.timeouts
        return limits if limits.start else limits.model_copy(update={"start": self._start_timeout})

    def _check(self, run: Run, at: datetime) -> None:
        limits = self._limits(run)
        reason = passed(run, limits, at)
        try:
            if reason and not run.end_reason and run.submission:
                run = self._recorder.condemn(run, reason, f"{sentence(run, reason)} It is ended at its target.")
        except StaleWrite:
            self.forget(run.id)
            return
        look = next_look(run, limits, at)
        with self._lock:
            if run.id not in self._looks:
                return
            if look is None:
                del self._looks[run.id]
            else:
                # A run without an object yet is looked at soon again.
                self._looks[run.id] = max(look, at + timedelta(seconds=0.5))
        if run.end_reason and run.submission:
            self._ending.add(run.id)
            logger.info("run-timeout run=%s reason=%s", run.id, run.end_reason)
            self._end_at_target(run)
