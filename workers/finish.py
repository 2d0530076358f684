"""The end of an attempt, told to everybody once: the record with Celery's result, Celery's events, the target.

The record comes first. An agent that dies before it leaves a live run, which its next session observes and finishes;
one that dies after it leaves an object at the target that has ended and takes no more than its name.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from broker_config.errors import LaunchyardError, NotFound, StaleWrite
from broker_config.runs import Run, now
from broker_config.states import FailureClass
from workers.record import Recorder
from workers.requests import Ledger
from workers.subject import about_run
from workers.targets.protocol import Observation, Phase, Target
from workers.verdict import Verdict, verdict

REMEMBERED_ENDS = 1000
"""More than an agent records while a failover lasts."""

logger = logging.getLogger(__name__)


class Finisher:
    """The last stage."""

    def __init__(self, recorder: Recorder, ledger: Ledger, let_go: Callable[[Run], None]) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self._let_go = let_go
        self._ends: OrderedDict[str, tuple[Observation, FailureClass | None]] = OrderedDict()

    def observed(self, run: Run, seen: Observation, target: Target) -> None:
        """The job ended at the target."""
        failure = FailureClass.CANCELLED if seen.phase is Phase.CANCELLED else seen.failure
        with about_run(run):
            ended = self.end(run, seen, failure)
            if ended is None:
                return
            try:
                # While the object is there, an end that a failover of the broker loses is seen again.
                self._recorder.wait_for_replicas(ended)
                target.release(run.submission)
            except LaunchyardError as error:
                logger.warning("release-failed run=%s: %s", run.id, error)

    def end_again(self, run: Run) -> bool:
        """Record an end anew that this session recorded and a failover of the broker lost. False: there is none."""
        known = self._ends.get(run.object_name)
        if known is None or not run.state.is_live:
            return False
        with about_run(run):
            logger.warning("end-lost run=%s: recorded again", run.id)
            self.end(run, *known)
        return True

    def end(self, run: Run, seen: Observation, failure: FailureClass | None) -> Run | None:
        """Record the end of the run, or of this attempt, whether the job ran or not.

        None: the run is another session's to finish, or its record is lost.
        """

        def judge(current: Run) -> Verdict:
            return verdict(current, seen, failure, now())

        # By the attempt's own name: a run that is tried again has another one afterwards.
        name = run.object_name
        ended = None
        try:
            ended = self._recorder.conclude(run, judge)
            self._remember(name, seen, failure)
        except StaleWrite:
            logger.warning("run-lost run=%s: another session finishes it", run.id)
        except NotFound:
            # The object stays, so that `launchyard recover` finds how it ended.
            logger.warning("run-unknown run=%s: the broker has lost its record, so its end is not recorded", run.id)
        self._ledger.close(ended or run)
        self._let_go(run)
        if ended is not None:
            logger.info("run-ended run=%s state=%s reason=%s", run.id, ended.state, seen.reason)
        return ended

    def _remember(self, name: str, seen: Observation, failure: FailureClass | None) -> None:
        self._ends[name] = (seen, failure)
        if len(self._ends) > REMEMBERED_ENDS:
            self._ends.popitem(last=False)
