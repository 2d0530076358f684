"""An installation as its broker has it, for one author."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from broker_config.accounts.rights import Role
from broker_config.errors import InvalidRequest, NotFound
from broker_config.images import Image
from broker_config.named_jobs import JobDefinition, JobReference, JobVersion
from broker_config.priorities import Priority
from broker_config.runs import Event, Run, RunId
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.agents import AgentInfo, AgentStore, Mode, Wish
from broker_config.store.audit import Deed
from broker_config.store.feed import News, Place
from broker_config.store.images import ImageStore
from broker_config.store.jobs import JobStore
from broker_config.store.logs import LogEntry
from broker_config.store.orphans import Orphan, OrphanStore, Removal
from broker_config.wanted import Wanted
from producer.explaining import ExplanationsOnBroker
from producer.launching import Launcher
from producer.past import Past

MOST_LIVE = 10_000
"""Live runs that one call reads."""


class OnBroker:
    """See `producer.installation.Installation`."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """The author is that of the settings."""
        author = settings.author
        self._store = store
        self.accounts = AccountsOnBroker(store, author)
        self.queues = store.queues.for_author(author)
        self.launches = Launcher(store, settings)
        self.runs = RunsOnBroker(store, author, Past(store, settings.history))
        self.agents = AgentsOnBroker(store.agents, author)
        self.explanations = ExplanationsOnBroker(store, self.runs, author)
        self.orphans = OrphansOnBroker(store.orphans, author)
        self.images = ImagesOnBroker(store.images, author)
        self.code = store.code
        self.jobs = JobsOnBroker(store.jobs, author)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()


class AccountsOnBroker:
    """Accounts, and the trail of what was changed."""

    def __init__(self, store: Store, author: str) -> None:
        self._accounts = store.accounts
        self._trail = store.audit
        self._author = author

    def users(self) -> list[User]:
        return self._accounts.users()

    def teams(self) -> list[Team]:
        return self._accounts.teams()

    def service_accounts(self) -> list[ServiceAccount]:
        return self._accounts.service_accounts()

    def api_keys(self) -> list[tuple[ApiKey, datetime | None]]:
        return self._accounts.api_keys()

    def add_user(self, name: str, *, is_admin: bool = False) -> User:
        return self._accounts.add_user(name, is_admin=is_admin)

    def set_admin(self, name: str, is_admin: bool) -> User:
        return self._accounts.set_admin(name, is_admin)

    def link(self, name: str, subject: str) -> User:
        return self._accounts.link(name, subject)

    def add_team(self, name: str) -> Team:
        return self._accounts.add_team(name)

    def set_member(self, team: str, user: str, role: Role | None) -> Team:
        return self._accounts.set_member(team, user, role)

    def add_service_account(self, team: str, name: str, role: Role = Role.LAUNCHER) -> ServiceAccount:
        return self._accounts.add_service_account(team, name, role)

    def add_key(self, wanted: NewApiKey) -> tuple[ApiKey, str]:
        key, secret = self._accounts.add_key(wanted, self._author)
        return key, str(secret)

    def revoke_key(self, key_id: str) -> ApiKey:
        return self._accounts.revoke_key(key_id)

    def audit(self, count: int = 100, before: str = "+") -> list[tuple[str, Deed]]:
        return self._trail.newest(count, before)


class RunsOnBroker:
    """Runs, without those on other authors' private queues. Those that left the broker are in the history."""

    def __init__(self, store: Store, author: str, past: Past) -> None:
        self._store = store
        self._past = past
        self._author = author

    def get(self, run_id: RunId) -> Run:
        found = self._store.runs.get_many([run_id])
        return self._shown(found[0] if found else self._past.get(run_id), run_id)

    def find(self, prefix: str) -> Run:
        try:
            found = self._store.runs.find(prefix)
        except NotFound:
            found = self._past.find(prefix)
        return self._shown(found, prefix)

    def newest(self, cursor: str = "") -> Iterator[Run]:
        for run in self._store.runs.newest(cursor):
            if not run.spec.queue.is_hidden_from(self._author):
                yield run

    def kept(self, wanted: Wanted, cursor: str = "") -> Iterator[Run]:
        for run in self._past.newest(wanted, cursor):
            if not run.spec.queue.is_hidden_from(self._author):
                yield run

    def waiting(self, queue: str, limit: int = 100) -> list[Run]:
        name = self._store.queues.for_author(self._author).get(queue).name
        return self._store.runs.get_many(self._store.runs.waiting(name, limit))

    def live(self, queue: str = "", limit: int = 1000) -> list[Run]:
        name = self._store.queues.for_author(self._author).get(queue).name if queue else ""
        held = self._store.runs.held_by_any((info.name for info, _ in self._store.agents.list()), MOST_LIVE)
        return [
            run
            for run in held
            if name in {"", run.spec.queue.full_name} and not run.spec.queue.is_hidden_from(self._author)
        ][:limit]

    def cancel(self, run_id: RunId) -> Run:
        return self._store.runs.request_cancel(self.get(run_id), self._author)

    def set_priority(self, run_id: RunId, priority: Priority) -> Run:
        run = self.get(run_id)
        queue = run.spec.queue.full_name
        if run.state is State.QUEUED and not self._store.queues.get(queue).queue.prioritization:
            raise InvalidRequest(
                f"queue {queue!r} has no prioritization, so a priority would have no effect; have its owner turn it "
                f"on: 'launchyard queue edit {queue} --prioritization'"
            )
        return self._store.runs.set_priority(run, priority, self._author)

    def events(self, run_id: RunId, after: str = "0-0", block_seconds: float | None = None) -> list[tuple[str, Event]]:
        if self._past.has(run_id):
            return self._past.events(run_id, after)
        return self._store.runs.events(run_id, after, block_seconds)

    def log(self, run_id: RunId, after: str = "0-0") -> list[LogEntry]:
        return self._past.log(run_id, after) if self._past.has(run_id) else self._store.logs.read(run_id, after)

    def feed(self, run_id: RunId, after: Place, block_seconds: float | None = None) -> News:
        if self._past.has(run_id):
            return self._past.feed(run_id, after)
        return self._store.feed.read(run_id, after, block_seconds)

    def _shown(self, run: Run, asked: str) -> Run:
        queue = run.spec.queue
        if queue.is_hidden_from(self._author):
            raise NotFound(f"run {asked!r} is on a private queue of {queue.entity!r}")
        return run


class AgentsOnBroker:
    def __init__(self, agents: AgentStore, author: str) -> None:
        self._agents = agents
        self._author = author

    def list(self) -> list[tuple[AgentInfo, bool]]:
        return self._agents.list()

    def wish(self, name: str, mode: Mode, reason: str = "") -> tuple[AgentInfo, bool]:
        info, is_alive = self._agents.get(name)
        self._agents.set_wish(info.name, Wish(mode=mode, reason=reason, by=self._author))
        return info, is_alive


class OrphansOnBroker:
    def __init__(self, orphans: OrphanStore, author: str) -> None:
        self._orphans = orphans
        self._author = author

    def list(self) -> list[Orphan]:
        return self._orphans.list()

    def remove(self, name: str) -> None:
        self._orphans.request_removal(name, self._author)

    def removals(self) -> Mapping[str, Removal]:
        return self._orphans.removals()


class ImagesOnBroker:
    def __init__(self, images: ImageStore, author: str) -> None:
        self._images = images
        self._author = author

    def all(self) -> list[Image]:
        return self._images.all()

    def find(self, word: str) -> Image:
        return self._images.find(word)

    def remove(self, image_id: str) -> None:
        self._images.request_removal(image_id, self._author)

    def removals(self) -> Mapping[str, Removal]:
        return self._images.removals()


class JobsOnBroker:
    def __init__(self, jobs: JobStore, author: str) -> None:
        self._jobs = jobs
        self._author = author

    def create(self, definition: JobDefinition, aliases: Sequence[str] = ()) -> JobVersion:
        return self._jobs.create(definition, self._author, aliases)

    def get(self, entity: str, reference: JobReference) -> JobVersion:
        return self._jobs.get(entity, reference)

    def versions(self, entity: str, name: str) -> list[JobVersion]:
        return self._jobs.versions(entity, name)

    def list(self) -> list[JobVersion]:
        return self._jobs.list()
