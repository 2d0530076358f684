"""An installation as one principal may see and change it; what is changed goes into the audit trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from broker_config.accounts.rights import Action, Principal
from broker_config.errors import NotFound, NotPermitted
from broker_config.images import Image
from broker_config.jobs import CodeSource
from broker_config.named_jobs import JobDefinition, JobReference, JobVersion
from broker_config.plans import Plan
from broker_config.queues import DEFAULT_ENTITY, Queue, QueueRecord, full_name
from broker_config.revisions import QueueRevision
from broker_config.runs import Event, Run, RunId, RunSpec
from broker_config.states import State
from broker_config.store.agents import AgentInfo, Mode
from broker_config.store.archives import ArchiveRecord
from broker_config.store.audit import Asker, AuditTrail
from broker_config.store.code import Rewindable
from broker_config.store.feed import News, Place
from broker_config.store.logs import LogEntry
from broker_config.store.orphans import Orphan, Removal
from producer.installation import Agents, Code, Images, Installation, Launches, NamedJobs, Orphans, Queues, Runs
from producer.launches import NewRun


class Rights:
    """What the principal may do, and the trail of what was done."""

    def __init__(self, principal: Principal, asker: Asker, trail: AuditTrail) -> None:
        self.principal = principal
        self._asker = asker
        self._trail = trail

    def may_see(self, queue: str) -> bool:
        """Whether a queue, by its full name, may be seen, with its runs."""
        return self.principal.may(Action.SEE, entity_of(queue), queue)

    def expect(self, action: Action, queue: str) -> None:
        """Go on only with a right on a queue.

        Raises:
            NotFound: when it may not even be seen.
            NotPermitted: when it may be seen, and not that.
        """
        if not self.may_see(queue) and self.principal.role_in(entity_of(queue)) is None:
            raise NotFound(f"queue {queue!r} does not exist")
        self.principal.expect(action, entity_of(queue), queue)

    def did(self, action: str, subject: str, details: str = "") -> None:
        """Write down what was done."""
        self._trail.add(self._asker, action, subject, details)


class Guarded:
    """See `producer.installation.Installation`."""

    def __init__(self, installation: Installation, rights: Rights) -> None:
        self._installation = installation
        self.queues = GuardedQueues(installation.queues, rights)
        self.launches = GuardedLaunches(installation.launches, rights)
        self.runs = GuardedRuns(installation.runs, rights)
        self.agents = GuardedAgents(installation.agents, rights)
        self.orphans = GuardedOrphans(installation.orphans, rights)
        self.images = GuardedImages(installation.images, rights)
        self.code = GuardedCode(installation.code, rights)
        self.jobs = GuardedJobs(installation.jobs, rights)

    def close(self) -> None:
        """Nothing is opened for one principal."""


def entity_of(queue: str) -> str:
    """Who owns the queue of that full name."""
    return queue.rpartition("/")[0] or DEFAULT_ENTITY


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

    def set_draining(self, name: str, draining: bool) -> QueueRecord:
        self._rights.expect(Action.KEEP_QUEUES, full_name(name))
        record = self._queues.set_draining(name, draining)
        self._rights.did("queue.drain" if draining else "queue.undrain", record.name)
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

    def cancel(self, run_id: RunId) -> Run:
        run = self.get(run_id)
        is_own = run.spec.author == self._rights.principal.name
        self._rights.expect(Action.CANCEL_OWN if is_own else Action.CANCEL, run.spec.queue.full_name)
        cancelled = self._runs.cancel(run_id)
        self._rights.did("run.cancel", run_id)
        return cancelled

    def events(self, run_id: RunId, after: str = "0-0", block_seconds: float | None = None) -> list[tuple[str, Event]]:
        self.get(run_id)
        return self._runs.events(run_id, after, block_seconds)

    def log(self, run_id: RunId, after: str = "0-0") -> list[LogEntry]:
        self.get(run_id)
        return self._runs.log(run_id, after)

    def feed(self, run_id: RunId, after: Place, block_seconds: float | None = None) -> News:
        self.get(run_id)
        return self._runs.feed(run_id, after, block_seconds)

    def _shown(self, run: Run, asked: str) -> Run:
        if not self._rights.may_see(run.spec.queue.full_name):
            raise NotFound(f"run {asked!r} does not exist, or ended longer ago than runs are kept")
        return run


class GuardedAgents:
    def __init__(self, agents: Agents, rights: Rights) -> None:
        self._agents = agents
        self._rights = rights

    def list(self) -> list[tuple[AgentInfo, bool]]:
        return self._agents.list()

    def wish(self, name: str, mode: Mode, reason: str = "") -> tuple[AgentInfo, bool]:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        info, is_alive = self._agents.wish(name, mode, reason)
        self._rights.did(f"agent.{mode}", info.name, reason)
        return info, is_alive


class GuardedOrphans:
    def __init__(self, orphans: Orphans, rights: Rights) -> None:
        self._orphans = orphans
        self._rights = rights

    def list(self) -> list[Orphan]:
        return self._orphans.list()

    def remove(self, name: str) -> None:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        self._orphans.remove(name)
        self._rights.did("orphan.remove", name)

    def removals(self) -> Mapping[str, Removal]:
        return self._orphans.removals()


class GuardedImages:
    def __init__(self, images: Images, rights: Rights) -> None:
        self._images = images
        self._rights = rights

    def all(self) -> list[Image]:
        return self._images.all()

    def find(self, word: str) -> Image:
        return self._images.find(word)

    def remove(self, image_id: str) -> None:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        self._images.remove(image_id)
        self._rights.did("image.remove", image_id)

    def removals(self) -> Mapping[str, Removal]:
        return self._images.removals()


class GuardedCode:
    def __init__(self, code: Code, rights: Rights) -> None:
        self._code = code
        self._rights = rights

    def put(self, file: Rewindable, source: CodeSource) -> str:
        return self._code.put(file, source)

    def unneeded(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        return self._code.unneeded(also_finished=also_finished)

    def prune(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        dropped = self._code.prune(also_finished=also_finished)
        self._rights.did("code.prune", str(len(dropped)))
        return dropped

    def list(self) -> Sequence[ArchiveRecord]:
        return self._code.list()


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
        if not self._rights.principal.may(Action.SEE, entity):
            raise NotFound(f"job '{entity}/{name}' does not exist")

    def list(self) -> list[JobVersion]:
        may = self._rights.principal.may
        return [version for version in self._jobs.list() if may(Action.SEE, version.definition.entity)]
