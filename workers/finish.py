"""The end of an attempt, told to everybody once: the record with Celery's result, Celery's events, the target.

The record comes first. An agent that dies before it leaves a live run, which its next session observes and finishes;
one that dies after it leaves an object at the target that has ended and takes no more than its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from broker_config.errors import LaunchyardError, StaleWrite
from broker_config.runs import FailureClass, Run, now
from workers.record import Recorder
from workers.requests import Ledger
from workers.targets.protocol import Observation, Phase, Target
from workers.verdict import Verdict, verdict

logger = logging.getLogger(__name__)


class Finisher:
    """The last stage."""

    def __init__(self, recorder: Recorder, ledger: Ledger, let_go: Callable[[Run], None]) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self._let_go = let_go

    def observed(self, run: Run, seen: Observation, target: Target) -> None:
        """The job ended at the target."""
        failure = FailureClass.CANCELLED if seen.phase is Phase.CANCELLED else seen.failure
        if not self.end(run, seen, failure):
            return
        try:
            target.release(run.submission)
        except LaunchyardError as error:
            logger.warning("release-failed run=%s: %s", run.id, error)

    def end(self, run: Run, seen: Observation, failure: FailureClass | None) -> bool:
        """Record the end of the run, or of this attempt, whether the job ran or not.

        False: the run is another session's to finish.
        """

        def judge(current: Run) -> Verdict:
            return verdict(current, seen, failure, now())

        is_mine = True
        try:
            run = self._recorder.conclude(run, judge)
        except StaleWrite:
            logger.warning("run-lost run=%s: another session finishes it", run.id)
            is_mine = False
        self._ledger.close(run)
        self._let_go(run)
        logger.info("run-ended run=%s state=%s reason=%s", run.id, run.state, seen.reason)
        return is_mine
