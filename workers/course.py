"""The course of one run through the stages, from its claim until its target is watched or the run has ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from broker_config.errors import NotFound, StaleWrite, TemporaryError
from broker_config.runs import Run
from broker_config.states import FailureClass, Reason, State
from broker_config.store.runs import RunStore
from workers.admission import Admission
from workers.deadlines import Deadlines
from workers.failures import RunCancelled, RunFailed
from workers.finish import Finisher
from workers.members import Members, Served, or_run_failed
from workers.pinning import Pinner
from workers.planned import keep_to_plan
from workers.prepare import Preparer
from workers.record import Recorder
from workers.subject import about_run
from workers.submit import Submitter
from workers.targets.protocol import Observation, Phase
from workers.trust import Trust
from workers.wishes import Wishes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stages:
    """What a run meets on its way."""

    members: Members
    trust: Trust
    admission: Admission
    pinner: Pinner
    preparer: Preparer
    submitter: Submitter
    finisher: Finisher


@dataclass(frozen=True, slots=True)
class Course:
    """Brings runs to their targets, or to their ends. Every stage may be repeated, so it tries as long as needed."""

    runs: RunStore
    recorder: Recorder
    stages: Stages
    wishes: Wishes
    deadlines: Deadlines
    stopping: threading.Event
    let_go: Callable[[Run], None]
    end_at_target: Callable[[Run], None]

    def carry_on(self, run: Run) -> None:
        """Go on with a run from wherever it is."""
        with about_run(run):
            self._carry_on(run)

    def _carry_on(self, run: Run) -> None:
        step: Callable[[], object] = partial(self._to_target, run)
        while True:
            try:
                step()
                return
            except StaleWrite:
                logger.warning("run-lost run=%s: another session holds it", run.id)
                self.let_go(run)
                return
            except NotFound:
                logger.warning("run-unknown run=%s: the broker has lost its record, so it is not carried on", run.id)
                self.let_go(run)
                return
            except TemporaryError as error:
                logger.warning("run-retry run=%s: %s", run.id, error)
                if self.stopping.wait(error.delay_seconds):
                    self._hand_over(run)
                    return
            except RunCancelled as error:
                if self.stopping.is_set() and not self.wishes.is_cancelled(run.id):
                    self._hand_over(run)
                    return
                step = self._cancelled(run, str(error))
            except RunFailed as error:
                step = self._failed(run, error)
            except Exception as error:
                logger.exception("agent-fault run=%s", run.id)
                text = f"The agent failed: {error!r}; see its log."
                step = self._failed(run, RunFailed(FailureClass.INFRA, Reason.AGENT_FAULT, text))

    def _to_target(self, run: Run) -> None:
        served: Served = or_run_failed(partial(self.stages.members.served, run.spec.queue.resource))
        if run.state not in {State.STARTING, State.RUNNING}:
            run = self.stages.trust.genuine(run)
            if run.end_reason and not run.submission:
                raise RunCancelled("ended before it was submitted")
            if not run.submission:
                self.stages.admission.admit(run, served.target.artifact)
                keep_to_plan(run.spec, served.target)
                run = self.stages.pinner.pin(run)
            self.deadlines.follow(run)
            prepared = self.stages.preparer.prepare(run, served.target.artifact, partial(self._must_end, run.id))
            run = self.stages.submitter.submit(prepared, served.target, partial(self._must_not_start, run.id))
        else:
            self.deadlines.follow(run)
        served.watcher.attach(run)
        # A wish that came while the object was being made found nothing to cancel.
        if self._must_not_start(run.id):
            self.end_at_target(run)

    def _must_end(self, run_id: str) -> bool:
        return self.stopping.is_set() or self.wishes.is_cancelled(run_id)

    def _must_not_start(self, run_id: str) -> bool:
        return self.wishes.is_cancelled(run_id) or self.deadlines.is_ending(run_id)

    def _cancelled(self, run: Run, text: str) -> Callable[[], object]:
        seen = Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, text)
        return partial(self.stages.finisher.end, run, seen, FailureClass.CANCELLED)

    def _failed(self, run: Run, error: RunFailed) -> Callable[[], object]:
        seen = Observation(Phase.FAILED, error.reason, str(error))
        return partial(self.stages.finisher.end, run, seen, error.failure)

    def _hand_over(self, run: Run) -> None:
        """The agent stops: what was not submitted goes back to its queue, the rest is for another session."""
        current = self.runs.get(run.id)
        if not current.submission and current.state.is_live:
            self.recorder.give_back(current, "Its agent stopped before it submitted the run.")
        self.let_go(run)
