"""The agent: puts the stages together, and carries one run through them."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from broker_config import __version__
from broker_config.errors import StaleWrite, TemporaryError
from broker_config.runs import FailureClass, Reason, Run, RunSpec, State, now
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.agents import AgentInfo
from broker_config.store.runs import Claimed
from workers.collect import Collector
from workers.config import AgentConfig
from workers.failures import RunCancelled, RunFailed
from workers.finish import Finisher
from workers.gate import Gate
from workers.heartbeat import Heartbeat
from workers.members import Members, Served, or_run_failed
from workers.prepare import Preparer
from workers.reconcile import Reconciler
from workers.record import Recorder
from workers.requests import Dropped, Ledger
from workers.session import Session
from workers.submit import Submitter
from workers.targets.protocol import Observation, Phase, Target
from workers.watch import Watcher
from workers.wishes import Wishes

logger = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
PAUSE_CHECK_SECONDS = 1.0
RECONCILE_SECONDS = 10.0
FORGET_SECONDS = 60.0
RESUME_THREADS = 4


class Intake(Protocol):
    """The worker's side of taking orders."""

    def serve(self, queue: str) -> None:
        """Fetch orders of this queue again."""

    def cease(self, queue: str) -> None:
        """Fetch no more orders of this queue."""

    def abort(self, reason: str) -> None:
        """End the worker: it must not go on."""


class Agent:
    """One agent session."""

    def __init__(self, settings: Settings, config: AgentConfig, name: str, ledger: Ledger, gate: Gate) -> None:
        self.name = name
        self.store = Store(settings)
        self._config = config
        self._ledger = ledger
        self._gate = gate
        self._workspaces = settings.home / "workspaces"
        self._session = Session(self.store.agents, name)
        self._stopping = threading.Event()
        self._heartbeat = Heartbeat()
        self._wishes = Wishes(self.store.runs, self._held_ids, self._cancel_at_target)
        self._members = Members(settings.home, self.store.code, config.builder, self._follow)
        self._resumers = ThreadPoolExecutor(RESUME_THREADS, thread_name_prefix="resume")
        self._held: dict[str, str] = {}  # run id -> resource
        self._lock = threading.Lock()
        self._paused: set[str] = set()
        self._started_at = now()
        ledger.cancels = self

    def start(self, intake: Intake) -> None:
        """Take the name, take up what its last session held, and begin the duties.

        Raises:
            ConfigError: when the name is in use or the builder of the config cannot work here.
        """
        self._intake = intake
        self._members.check()
        self._session.open()
        self._recorder = Recorder(self.store.runs, self.name, self._session.fence)
        self._preparer = Preparer(
            self._recorder, self.store.logs, self._workspaces, self._members.source, self._members.builder_for
        )
        self._submitter = Submitter(self._recorder, self._stopping.wait)
        self._finisher = Finisher(self._recorder, self._ledger, self._let_go)
        self._reconciler = Reconciler(self.store.runs, self._held.__contains__)
        self._take_up()
        self._wishes.start()
        self._heartbeat.every(RENEW_SECONDS, self._renew)
        self._heartbeat.every(PAUSE_CHECK_SECONDS, self._follow_pauses)
        self._heartbeat.every(RECONCILE_SECONDS, self._reconcile)
        self._heartbeat.every(FORGET_SECONDS, partial(self._reconciler.forget, self._workspaces))
        self._heartbeat.start()

    def stop(self) -> None:
        """Hand over: runs that were not submitted go back to their queue, the others go on without an agent."""
        self._gate.close()
        self._stopping.set()
        self._heartbeat.stop()
        self._wishes.stop()
        self._gate.wait_until_handed_over()
        self._resumers.shutdown()
        self._members.stop()
        self.store.agents.forget(self.name)
        self._session.close()

    def take(self, spec: RunSpec) -> None:
        """Carry out an order, the body of the task: when it returns, the run is followed or has ended.

        Raises:
            Dropped: when there is nothing to do, or not here.
        """
        with self._lock:
            if spec.id in self._held:
                raise Dropped("this agent holds the run")
            self._held[spec.id] = spec.queue.resource
        try:
            run = self._claim(spec)
        except BaseException:
            self._held.pop(spec.id, None)
            raise
        self._gate.hold(run.id)
        logger.info("run-claimed run=%s queue=%s", run.id, spec.queue.name)
        self._carry_on(run)

    def _claim(self, spec: RunSpec) -> Run:
        try:
            outcome, run = self.store.runs.claim(spec, self.name, self._session.fence, self._session.token)
        except TemporaryError as error:
            # The run is queued still or claimed by this session: it is found again either way.
            raise Dropped(str(error)) from error
        # A claim of this session that nobody holds is an earlier try whose reply was lost.
        is_mine = run is not None and run.state is State.CLAIMED and run.fence == self._session.fence
        if run is not None and (outcome is Claimed.CLAIMED or is_mine):
            return run
        if outcome in {Claimed.PAUSED, Claimed.LEASE_LOST}:
            self._intake.cease(spec.queue.name)
            self.store.runs.send_again(spec)
        logger.info("order-dropped run=%s: %s", spec.id, outcome)
        raise Dropped(outcome)

    def cancel(self, run_id: str, actor: str) -> None:
        """Write the wish to cancel a run, held or not."""
        for run in self.store.runs.get_many([run_id]):
            self.store.runs.request_cancel(run, actor)

    def _carry_on(self, run: Run) -> None:
        """Bring the run to its target, or to its end; try again for as long as that may help."""
        step: Callable[[], None] = partial(self._to_target, run)
        while True:
            try:
                return step()
            except StaleWrite:
                logger.warning("run-lost run=%s: another session holds it", run.id)
                return self._let_go(run)
            except TemporaryError as error:
                logger.warning("run-retry run=%s: %s", run.id, error)
                if self._stopping.wait(error.delay_seconds):
                    return self._hand_over(run)
            except RunCancelled as error:
                if self._stopping.is_set() and not self._wishes.is_cancelled(run.id):
                    return self._hand_over(run)
                seen = Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, str(error))
                step = partial(self._finisher.end, run, State.CANCELLED, seen, FailureClass.CANCELLED)
            except RunFailed as error:
                seen = Observation(Phase.FAILED, error.reason, str(error))
                step = partial(self._finisher.end, run, State.FAILED, seen, error.failure)
            except Exception as error:
                logger.exception("agent-fault run=%s", run.id)
                seen = Observation(Phase.FAILED, Reason.AGENT_FAULT, f"The agent failed: {error!r}; see its log.")
                step = partial(self._finisher.end, run, State.FAILED, seen, FailureClass.INFRA)

    def _to_target(self, run: Run) -> None:
        served: Served = or_run_failed(partial(self._members.served, run.spec.queue.resource))
        if run.state in {State.STARTING, State.RUNNING}:
            return self._attach(run, served)
        prepared = self._preparer.prepare(run, served.target.artifact, partial(self._must_end, run.id))
        cancelled = partial(self._wishes.is_cancelled, run.id)
        return self._attach(self._submitter.submit(prepared, served.target, cancelled), served)

    def _attach(self, run: Run, served: Served) -> None:
        served.watcher.attach(run)
        # A wish that came while the object was being made found nothing to cancel.
        if self._wishes.is_cancelled(run.id):
            served.target.cancel(run.submission, self._config.stopped_run_timeout)

    def _hand_over(self, run: Run) -> None:
        current = self.store.runs.get(run.id)
        if not current.submission and current.state.is_live:
            self._recorder.give_back(current, f"Agent {self.name} stopped before it submitted the run.")
        self._let_go(run)

    def _take_up(self) -> None:
        """Take up the runs that are this agent's by their records, and that nobody here carries on."""
        for found in self.store.runs.held_by(self.name):
            with self._lock:
                if found.id in self._held:
                    continue
                self._held[found.id] = found.spec.queue.resource
            # Read again: it may have ended, and been let go, since it was found.
            run = self._recorder.adopt(self.store.runs.get(found.id))
            if run.fence != self._session.fence or not run.state.is_live:
                self._held.pop(run.id, None)
                continue
            logger.info("run-adopted run=%s state=%s", run.id, run.state)
            self._gate.hold(run.id)
            self._wishes.note(run)
            self._ledger.adopt(run, self.name)
            self._resumers.submit(self._carry_on, run)

    def _follow(self, target: Target) -> Served:
        def finish(run: Run, seen: Observation) -> None:
            self._finisher.observed(run, seen, target)

        collector = Collector(target, self.store.logs, finish)
        return Served(target, Watcher(target, self._recorder, collector, self._let_go), collector)

    def _let_go(self, run: Run) -> None:
        self._held.pop(run.id, None)
        self._wishes.forget(run.id)
        self._gate.let_go(run.id)

    def _held_ids(self) -> set[str]:
        return set(self._held)

    def _must_end(self, run_id: str) -> bool:
        return self._stopping.is_set() or self._wishes.is_cancelled(run_id)

    def _cancel_at_target(self, run: Run) -> None:
        if run.submission:
            target = self._members.served(run.spec.queue.resource).target
            target.cancel(run.submission, self._config.stopped_run_timeout)

    def _renew(self) -> None:
        if not self._session.renew():
            self._gate.close()
            self._intake.abort(f"another process has taken the name {self.name}")
            return
        self.store.agents.announce(
            AgentInfo(
                name=self.name,
                queues=self._config.queues,
                max_jobs=self._config.max_jobs,
                live=len(self._held),
                host=socket.gethostname(),
                pid=os.getpid(),
                version=__version__,
                started_at=self._started_at,
                seen_at=now(),
            )
        )

    def _follow_pauses(self) -> None:
        paused = self.store.queues.paused(list(self._config.queues))
        for queue in paused - self._paused:
            logger.info("queue-paused %s", queue)
            self._intake.cease(queue)
        for queue in self._paused - paused:
            logger.info("queue-resumed %s", queue)
            self._intake.serve(queue)
        self._paused = paused

    def _reconcile(self) -> None:
        self._take_up()
        self._reconciler.send_lost_orders([queue for queue in self._config.queues if queue not in self._paused])
