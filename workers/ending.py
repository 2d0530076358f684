"""Asks targets to end jobs: those of cancelled runs, and those that passed a limit.

The record tells of each try, so that whoever waits for the end sees that it was asked for, by whom, and what the target
said. It is asked again until the job is gone, also by the next agent that adopts the run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from broker_config.errors import StaleWrite, TemporaryError
from broker_config.runs import Run
from broker_config.states import Reason
from workers.failures import RunFailed
from workers.record import Recorder
from workers.targets.protocol import OwnGrace, Target

logger = logging.getLogger(__name__)


class Ending:
    """Called by whoever finds that a job has to end, as often as they find it."""

    def __init__(self, target_of: Callable[[str], Target], recorder: Recorder, grace_seconds: float) -> None:
        """`grace_seconds` is between asking a job to end and ending it by force, where a target has none of its own."""
        self._target_of = target_of
        self._recorder = recorder
        self._grace_seconds = grace_seconds

    def ask(self, run: Run) -> None:
        """Have the job of a submitted run ended. A target that does not take the wish is asked again later."""
        if not run.submission:
            return
        try:
            target = self._target_of(run.spec.queue.resource)
            target.cancel(run.submission, self._grace_seconds)
            reason, text = Reason.ENDING, f"The target was asked to end {run.submission}, {self._by_force(target)}."
        except (TemporaryError, RunFailed) as error:
            logger.warning("cancel-retry run=%s: %s", run.id, error)
            reason, text = Reason.TARGET_UNAVAILABLE, f"The target could not be asked to end the job: {error}"
        try:
            # Once for the same outcome: what comes between two tries, such as an adoption, makes the next one an event.
            self._recorder.note(run, reason, text)
        except StaleWrite:
            logger.warning("run-lost run=%s: another session ends it", run.id)

    def _by_force(self, target: Target) -> str:
        seconds = target.grace_seconds if isinstance(target, OwnGrace) else self._grace_seconds
        return f"by force after {seconds:g} s" if seconds is not None else "by force when its platform chooses"
