"""The agent: puts the parts together, and says which runs are its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from broker_config import __version__
from broker_config.errors import ConfigError, NotFound, TemporaryError
from broker_config.history import open_history
from broker_config.messages import Order
from broker_config.runs import Run, now
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.agents import AgentInfo
from workers import macros, wandb
from workers.admission import Admission
from workers.adopt import Adopter
from workers.building.ahead import Ahead, Workshop
from workers.building.builds import Builds
from workers.building.pruning import Pruner
from workers.claim import Claimer
from workers.collect import Collector
from workers.config import AgentConfig
from workers.course import Course, Stages
from workers.deadlines import Deadlines
from workers.ending import Ending
from workers.failures import RunFailed
from workers.finish import Finisher
from workers.gate import Gate
from workers.heartbeat import Heartbeat
from workers.held import Holds
from workers.historian import Historian
from workers.holdings import Holdings
from workers.limits import SharedLimits
from workers.members import Members, Served
from workers.pinning import Pinner
from workers.prepare import Preparer
from workers.pulling import Pulls
from workers.pulse import Pulse
from workers.queues import served_queues
from workers.reconcile import Reconciler
from workers.record import Recorder
from workers.requests import Dropped, Ledger
from workers.serving import Intake, Serving
from workers.session import Session, site
from workers.submit import Submitter
from workers.sweep import Sweeper
from workers.takeover import Reach, Takeover
from workers.targets.protocol import Observation, Searching, Target
from workers.trust import Trust, seals_of
from workers.watch import Watcher
from workers.wishes import Wishes

logger = logging.getLogger(__name__)

RENEWALS = 6
"""How often a lease is renewed while it lasts."""

QUEUE_CHECK_SECONDS = 1.0
HELD_SECONDS = 0.5
DEADLINE_SECONDS = 1.0
RECONCILE_SECONDS = 10.0
FORGET_SECONDS = 60.0
KEEP_SECONDS = 30.0
REMOVAL_SECONDS = 2.0
AHEAD_SECONDS = 1.0
STATUS_SECONDS = {0: 300.0, 1: 20.0, 2: 20.0}
"""How often the log says how many runs are held, by verbosity."""

RESUME_THREADS = 4


class Agent:
    """One agent session."""

    def __init__(self, settings: Settings, config: AgentConfig, name: str, ledger: Ledger, gate: Gate) -> None:
        self.name = name
        self.store = Store(settings)
        self._config = config
        self._ledger = ledger
        self._gate = gate
        self._settings = settings
        self._workspaces = settings.home / "workspaces"
        self._session = Session(self.store.agents, name, config.lease_seconds)
        self._site = site(settings.home)
        self._stopping = threading.Event()
        self._pulse = Pulse(settings.home, name)
        self._heartbeat = Heartbeat(self._pulse.beat)
        # What may wait for a slow service has threads of its own: leases must be renewed meanwhile, and limits of runs
        # be kept while images are pruned, or a silent platform is asked what is left there.
        self._limits = Heartbeat()
        self._housekeeping = Heartbeat()
        self._keeping = Heartbeat()
        self._holdings = Holdings(gate)
        limits = SharedLimits(self.store.platforms)
        self._members = Members(settings.home, self.store.code, config, self._follow, limits)
        self._resumers = ThreadPoolExecutor(RESUME_THREADS, thread_name_prefix="resume")
        self._started_at = now()
        ledger.cancels = self

    def start(self, intake: Intake) -> None:
        """Take the name, take up what its last session held, and begin the duties.

        Raises:
            ConfigError: when the name is in use, a queue is another entity's, or the builder of the config cannot work
                here.
            NotPermitted: when the broker's user may not do what an agent does.
            BrokerUnavailable: when the broker broke off; called again, the start goes on with the same session.
        """
        self._intake = intake
        if not self._session.fence:
            self._open()
        # Before the first order is fetched: what was wished of the agent, and what its last session held.
        self._follow_wish()
        self._take_up()
        self._wishes.start()
        self._heartbeat.every(self._config.lease_seconds / RENEWALS, self._renew)
        self._heartbeat.every(self._config.lease_seconds / RENEWALS, self._builds.keep_leases)
        self._heartbeat.every(self._config.lease_seconds / RENEWALS, self._take_over)
        self._heartbeat.every(QUEUE_CHECK_SECONDS, self._follow_wish)
        self._heartbeat.every(QUEUE_CHECK_SECONDS, self._serving.follow_queues)
        self._heartbeat.every(HELD_SECONDS, Holds(self.store, self.name).look)
        self._heartbeat.every(RECONCILE_SECONDS, self._reconcile)
        self._heartbeat.every(STATUS_SECONDS[self._config.verbosity], self._tell_status)
        self._heartbeat.every(FORGET_SECONDS, self._forget)
        if self._config.builds_ahead:
            self._heartbeat.every(AHEAD_SECONDS, self._ahead.look)
        self._heartbeat.start()
        self._limits.every(DEADLINE_SECONDS, self._deadlines.check)
        self._limits.start()
        self._housekeeping.every(FORGET_SECONDS, self._sweeper.sweep)
        self._housekeeping.every(REMOVAL_SECONDS, self._sweeper.carry_out_removals)
        self._housekeeping.every(FORGET_SECONDS, self.store.code.sweep)
        pruner = Pruner(self.store, self.name, self._members.builders)
        self._housekeeping.every(REMOVAL_SECONDS, pruner.carry_out_removals)
        self._housekeeping.start()
        if self._historian:
            self._keeping.every(KEEP_SECONDS, self._historian.keep)
        self._keeping.start()

    def _open(self) -> None:
        self._seals = seals_of(self._settings, self._config)
        queues = served_queues(self.store.queues, self._config.queues, self._config.entity)
        self._members.check({queue.resource for queue in queues})
        self._check_eviction()
        self._historian = self._prepared_historian()
        self._session.open()
        self._put_together()

    def _prepared_historian(self) -> Historian | None:
        if not self._settings.history:
            return None
        historian = Historian(self.store, open_history(self._settings.history), self.name)
        historian.prepare()
        return historian

    def _check_eviction(self) -> None:
        policy = self.store.eviction_policy()
        if policy != "noeviction":
            logger.warning(
                "broker-evicts policy=%s: when its memory is full the broker deletes keys, runs and leases among them; "
                "set maxmemory-policy noeviction there",
                policy,
            )

    def _put_together(self) -> None:
        runs, members = self.store.runs, self._members
        self._trust = Trust(runs, self._seals, self._config, self.name)
        self._recorder = Recorder(runs, self.name, self._session.fence, self._seals)
        self._serving = Serving(self.store, self.name, self._config.queues, self._gate, self._intake)
        self._claimer = Claimer(runs, self._trust, self._session, self._serving.cease)
        self._finisher = Finisher(self._recorder, self._ledger, self._let_go)
        known = macros.from_environment(self._config.macro_environment)
        pulls = Pulls(self._config)
        workshop = self._workshop(known)
        self._ahead = Ahead(
            workshop, lambda: self._serving.queues_to_build_for, self._workspaces, self._config.builds_ahead
        )
        stages = Stages(
            members,
            self._trust,
            workshop.admission,
            Pinner(self._recorder, pulls),
            workshop.preparer,
            Submitter(self._recorder, self._stopping.wait, wandb.from_environment(), known, pulls.login),
            self._finisher,
        )
        end = Ending(members.target, self._recorder, self._config.stopped_run_timeout).ask
        self._wishes = Wishes(runs, self._holdings.ids, end, self._take_over)
        self._deadlines = Deadlines(runs, self._recorder, end, self._config.start_timeout)
        self._course = Course(
            runs, self._recorder, stages, self._wishes, self._deadlines, self._stopping, self._let_go, end
        )
        self._adopter = Adopter(runs, self._recorder, self._holdings, self._carry_on, self._let_go)
        self._sweeper = Sweeper(self.store, self.name, self._reachable, self._config.stopped_run_timeout)
        self._reconciler = Reconciler(runs, self.store.finished, self._holdings.ids)
        reach = Reach(self.name, frozenset(self._config.queues), self._site, members.is_local)
        self._takeover = Takeover(runs, self.store.agents, self._recorder, reach)

    def _workshop(self, known: macros.Macros) -> Workshop:
        logs, members = self.store.logs, self._members
        self._builds = Builds(self.store, self._session, self._config.lease_seconds)
        preparer = Preparer(
            self._recorder, logs, self._workspaces, members.source, members.builder_for, builds=self._builds
        )
        admission = Admission(known, self._config.secure_mode)
        return Workshop(self.store.runs, members, self._trust, admission, preparer, self._builds)

    def stop(self) -> None:
        """Hand over: runs that were not submitted go back to their queue, the others are for other agents to adopt."""
        self._gate.close()
        self._stopping.set()
        self._heartbeat.stop()
        self._limits.stop()
        self._housekeeping.stop()
        self._keeping.stop()
        self._wishes.stop()
        self._ahead.stop()
        self._gate.wait_until_handed_over()
        self._resumers.shutdown()
        self._members.stop()
        held = self.store.runs.held_by(self.name)
        self._session.close()
        self._pulse.stop()
        for run in held:
            self._recorder.release(run)
        if held:
            self.store.agents.announce(self._info().model_copy(update={"stopped": True}))
        else:
            self.store.agents.forget(self.name)

    def take(self, order: Order) -> None:
        """Carry out an order, the body of the task: when it returns, the run is followed or has ended.

        Raises:
            Dropped: when there is nothing to do, or not here.
        """
        if not self._holdings.reserve(order.spec.id):
            raise Dropped("this agent holds the run")
        run = None
        try:
            run = self._claimer.claim(order)
        finally:
            if run is None:
                self._holdings.let_go(order.spec.id)
        self._holdings.hold(run.id)
        self._course.carry_on(run)

    def cancel(self, run_id: str, actor: str) -> None:
        """Write the wish to cancel a run, held or not."""
        for run in self.store.runs.get_many([run_id]):
            self.store.runs.request_cancel(run, actor)

    def _take_up(self) -> None:
        """Take up the runs that are this agent's by their records, and that nobody here carries on."""
        # Called every few seconds: of the thousands that are carried on, no record is read.
        unattended = self.store.runs.ids_held_by(self.name) - self._holdings.ids()
        self._adopter.take_up(self.store.runs.get_many(sorted(unattended)))

    def _take_over(self, run_ids: Iterable[str] | None = None) -> None:
        """Take up the runs of agents that are gone; all of them, or of those given."""
        self._adopter.take_over(self._takeover.orphans(run_ids))

    def _carry_on(self, adopted: Run) -> None:
        if self._finisher.end_again(adopted):
            return
        self._wishes.note(adopted)
        self._ledger.adopt(adopted, self.name)
        self._resumers.submit(self._course.carry_on, adopted)

    def _follow(self, target: Target) -> Served:
        def finish(run: Run, seen: Observation) -> None:
            self._finisher.observed(run, seen, target)

        collector = Collector(target, self.store.logs, finish)
        return Served(target, Watcher(target, self._recorder, collector, self._let_go), collector)

    def _reachable(self) -> Mapping[str, Target]:
        """The targets of the queues that this agent serves, also of those that have given it no run yet."""
        for name in self._config.queues:
            with suppress(NotFound, ConfigError, RunFailed, TemporaryError):
                queue = self.store.queues.get(name).queue
                target = self._members.target(queue.resource)
                if isinstance(target, Searching):
                    target.learn(queue.config)
        return self._members.targets()

    def _let_go(self, run: Run) -> None:
        self._wishes.forget(run.id)
        self._deadlines.forget(run.id)
        self._holdings.let_go(run.id)

    def _renew(self) -> None:
        if not self._session.renew():
            self._gate.close()
            self._intake.abort(f"another process has taken the name {self.name}")
            return
        self.store.agents.announce(self._info())

    def _info(self) -> AgentInfo:
        return AgentInfo(
            name=self.name,
            queues=self._config.queues,
            max_jobs=self._config.max_jobs,
            live=self._gate.live,
            host=socket.gethostname(),
            site=self._site,
            pid=os.getpid(),
            version=__version__,
            started_at=self._started_at,
            seen_at=now(),
            wish=self._serving.wish,
        )

    def _tell_status(self) -> None:
        limit = "any" if self._config.max_jobs < 0 else self._config.max_jobs
        logger.info("agent-status runs=%d/%s queues=%s", self._gate.live, limit, ",".join(self._config.queues))

    def _follow_wish(self) -> None:
        if self._serving.follow_wish():
            # At once, for everybody to see that it was heard.
            self._renew()

    def _reconcile(self) -> None:
        self._take_up()
        self._reconciler.send_lost_orders(sorted(self._serving.open_queues))

    def _forget(self) -> None:
        self._reconciler.forget(self._workspaces)
        self.store.agents.forget_gone()
        self.store.images.forget_unused()
