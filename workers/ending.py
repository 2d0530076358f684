"""Asks targets to end jobs: those of cancelled runs, and those that passed a limit.

The record tells of each try, so that whoever waits for the end sees that it was asked for, by whom, and what the target
said. It is asked again until the job is gone, also by the next agent that adopts the run.
"""

from __future__ import annotations

import logging

from broker_config.errors import StaleWrite, TemporaryError
from broker_config.runs import Run
from broker_config.states import Reason
from workers.failures import RunFailed
from workers.members import Members
from workers.record import Recorder

logger = logging.getLogger(__name__)


class Ending:
    """Called by whoever finds that a job has to end, as often as they find it."""

    def __init__(self, members: Members, recorder: Recorder, grace_seconds: float) -> None:
        """`grace_seconds` is between asking a job to end and ending it by force."""
        self._members = members
        self._recorder = recorder
        self._grace_seconds = grace_seconds

    def ask(self, run: Run) -> None:
        """Have the job of a submitted run ended. A target that does not take the wish is asked again later."""
        if not run.submission:
            return
        reason = Reason.ENDING
        text = f"The target was asked to end {run.submission}, by force after {self._grace_seconds:g} s."
        try:
            self._members.served(run.spec.queue.resource).target.cancel(run.submission, self._grace_seconds)
        except (TemporaryError, RunFailed) as error:
            logger.warning("cancel-retry run=%s: %s", run.id, error)
            reason, text = Reason.TARGET_UNAVAILABLE, f"The target could not be asked to end the job: {error}"
        try:
            # Once for the same outcome: what comes between two tries, such as an adoption, makes the next one an event.
            self._recorder.note(run, reason, text)
        except StaleWrite:
            logger.warning("run-lost run=%s: another session ends it", run.id)
