"""Queues, launches, runs and named jobs: each by the role in the entity that owns it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from broker_config.accounts.rights import Action
from broker_config.errors import NotFound, NotPermitted
from broker_config.named_jobs import JobDefinition, JobReference, JobVersion
from broker_config.plans import Plan
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord, full_name
from broker_config.revisions import QueueRevision
from broker_config.runs import Event, Run, RunId, RunSpec
from broker_config.states import State
from broker_config.store.feed import News, Place
from broker_config.store.logs import LogEntry
from broker_config.wanted import Wanted
from producer.installation import (
    Launches,
    NamedJobs,
    Queues,
    Runs,
)
from producer.launches import NewRun
from producer.server.guarded.rights import Rights


class GuardedQueues:
    def __init__(self, queues: Queues, rights: Rights) -> None:
        self._queues = queues
        self._rights = rights

    def create(self, queue: Queue) -> QueueRecord:
        self._rights.expect(Action.KEEP_QUEUES, queue.full_name)
        record = self._queues.create(queue)
        self._rights.did("queue.create", record.name)
        return record

    def edit(self, queue: Queue, expected: int | None = None, note: str = "") -> QueueRecord:
        self._rights.expect(Action.KEEP_QUEUES, queue.full_name)
        record = self._queues.edit(queue, expected, note)
        self._rights.did("queue.edit", record.name, f"revision {record.revision}")
        return record

    def delete(self, name: str) -> None:
        self._rights.expect(Action.KEEP_QUEUES, full_name(name))
        self._queues.delete(name)
        self._rights.did("queue.delete", full_name(name))

    def get(self, name: str) -> QueueRecord:
        self._rights.expect(Action.SEE, full_name(name))
        return self._queues.get(name)

    def counts(self, name: str) -> dict[State, int]:
        self._rights.expect(Action.SEE, full_name(name))
        return self._queues.counts(name)

    def oldest_wait(self, name: str) -> datetime | None:
        self._rights.expect(Action.SEE, full_name(name))
        return self._queues.oldest_wait(name)

    def history(self, name: str) -> list[QueueRevision]:
        self._rights.expect(Action.SEE, full_name(name))
        return self._queues.history(name)

    def revision(self, name: str, number: int) -> QueueRevision:
        self._rights.expect(Action.SEE, full_name(name))
        return self._queues.revision(name, number)

    def roll_back(self, name: str, number: int, expected: int | None = None) -> QueueRecord:
        self._rights.expect(Action.KEEP_QUEUES, full_name(name))
        record = self._queues.roll_back(name, number, expected)
        self._rights.did("queue.roll-back", record.name, f"to revision {number}")
        return record

    def set_paused(self, name: str, paused: bool, reason: str = "") -> QueueRecord:
        self._rights.expect(Action.KEEP_QUEUES, full_name(name))
        record = self._queues.set_paused(name, paused, reason)
        self._rights.did("queue.pause" if paused else "queue.resume", record.name, reason)
        return record

    def set_draining(self, name: str, draining: bool, reason: str = "") -> QueueRecord:
        self._rights.expect(Action.KEEP_QUEUES, full_name(name))
        record = self._queues.set_draining(name, draining, reason)
        self._rights.did("queue.drain" if draining else "queue.undrain", record.name, reason)
        return record

    def check_author(self, queue: Queue) -> None:
        self._rights.expect(Action.KEEP_QUEUES, queue.full_name)
        self._queues.check_author(queue)

    def list(self) -> list[QueueRecord]:
        return [record for record in self._queues.list() if self._rights.may_see(record.name)]


class GuardedLaunches:
    def __init__(self, launches: Launches, rights: Rights) -> None:
        self._launches = launches
        self._rights = rights

    def check(self, runs: Sequence[NewRun]) -> None:
        self._expect(runs)
        self._launches.check(runs)

    def enqueue(self, runs: Sequence[NewRun]) -> list[RunId]:
        self._expect(runs)
        written = self._launches.enqueue(runs)
        for queue in {run.launch.full_queue for run in runs}:
            ids = [run_id for run, run_id in zip(runs, written, strict=True) if run.launch.full_queue == queue]
            self._rights.did("run.launch", queue, f"{len(ids)}: {' '.join(ids[:10])}")
        return written

    def enqueue_plan(self, plan: Plan) -> RunId:
        self._rights.expect(Action.LAUNCH, plan.launch.full_queue)
        if plan.author != self._rights.principal.name:
            raise NotPermitted(f"the plan is of {plan.author!r}; make one of your own")
        run_id = self._launches.enqueue_plan(plan)
        self._rights.did("run.launch", plan.launch.full_queue, f"1: {run_id}")
        return run_id

    def plan(self, run: NewRun, earlier: RunSpec | None = None) -> Plan:
        self._expect([run])
        return self._launches.plan(run, earlier)

    def spec(self, run: NewRun) -> RunSpec:
        self._expect([run])
        return self._launches.spec(run)

    def _expect(self, runs: Sequence[NewRun]) -> None:
        for queue in {run.launch.full_queue for run in runs}:
            self._rights.expect(Action.LAUNCH, queue)


class GuardedRuns:
    def __init__(self, runs: Runs, rights: Rights) -> None:
        self._runs = runs
        self._rights = rights

    def get(self, run_id: RunId) -> Run:
        return self._shown(self._runs.get(run_id), run_id)

    def find(self, prefix: str) -> Run:
        return self._shown(self._runs.find(prefix), prefix)

    def newest(self, cursor: str = "") -> Iterator[Run]:
        for run in self._runs.newest(cursor):
            if self._rights.may_see(run.spec.queue.full_name):
                yield run

    def kept(self, wanted: Wanted, cursor: str = "") -> Iterator[Run]:
        for run in self._runs.kept(wanted, cursor):
            if self._rights.may_see(run.spec.queue.full_name):
                yield run

    def waiting(self, queue: str, limit: int = 100) -> list[Run]:
        self._rights.expect(Action.SEE, full_name(queue))
        return self._runs.waiting(queue, limit)

    def live(self, queue: str = "", limit: int = 1000) -> list[Run]:
        found = self._runs.live(queue, limit)
        return [run for run in found if self._rights.may_see(run.spec.queue.full_name)]

    def cancel(self, run_id: RunId) -> Run:
        self._expect_on(run_id, Action.CANCEL_OWN, Action.CANCEL)
        cancelled = self._runs.cancel(run_id)
        self._rights.did("run.cancel", run_id)
        return cancelled

    def set_priority(self, run_id: RunId, priority: Priority) -> Run:
        self._expect_on(run_id, Action.PRIORITIZE_OWN, Action.PRIORITIZE)
        run = self._runs.set_priority(run_id, priority)
        self._rights.did("run.prioritize", run_id, priority.label)
        return run

    def events(self, run_id: RunId, after: str = "0-0", block_seconds: float | None = None) -> list[tuple[str, Event]]:
        self.get(run_id)
        return self._runs.events(run_id, after, block_seconds)

    def log(self, run_id: RunId, after: str = "0-0") -> list[LogEntry]:
        self.get(run_id)
        return self._runs.log(run_id, after)

    def feed(self, run_id: RunId, after: Place, block_seconds: float | None = None) -> News:
        self.get(run_id)
        return self._runs.feed(run_id, after, block_seconds)

    def _expect_on(self, run_id: RunId, own: Action, anyones: Action) -> None:
        run = self.get(run_id)
        is_own = run.spec.author == self._rights.principal.name
        self._rights.expect(own if is_own else anyones, run.spec.queue.full_name)

    def _shown(self, run: Run, asked: str) -> Run:
        if not self._rights.may_see(run.spec.queue.full_name):
            raise NotFound(f"run {asked!r} does not exist, or ended longer ago than runs are kept")
        return run


class GuardedJobs:
    def __init__(self, jobs: NamedJobs, rights: Rights) -> None:
        self._jobs = jobs
        self._rights = rights

    def create(self, definition: JobDefinition, aliases: Sequence[str] = ()) -> JobVersion:
        self._rights.principal.expect(Action.LAUNCH, definition.entity)
        version = self._jobs.create(definition, aliases)
        self._rights.did("job.create", version.reference)
        return version

    def get(self, entity: str, reference: JobReference) -> JobVersion:
        self._expect_seen(reference.entity or entity, reference.name)
        return self._jobs.get(entity, reference)

    def versions(self, entity: str, name: str) -> list[JobVersion]:
        self._expect_seen(entity, name)
        return self._jobs.versions(entity, name)

    def _expect_seen(self, entity: str, name: str) -> None:
        if not self._rights.may_see_jobs(entity):
            raise NotFound(f"job '{entity}/{name}' does not exist")

    def list(self) -> list[JobVersion]:
        return [version for version in self._jobs.list() if self._rights.may_see_jobs(version.definition.entity)]
