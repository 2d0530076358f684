"""What a client asks of an installation, whoever answers: the broker, or a server that stands before one.

All of it is asked for one author, who sees no private queue of another one, nor its runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from broker_config.accounts.rights import Role
from broker_config.explaining.explanation import Explanation
from broker_config.images import Image
from broker_config.jobs import CodeSource
from broker_config.named_jobs import JobDefinition, JobReference, JobVersion
from broker_config.plans import Plan
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.revisions import QueueRevision
from broker_config.runs import Event, Run, RunId, RunSpec
from broker_config.states import State
from broker_config.store.agents import AgentInfo, Mode
from broker_config.store.archives import ArchiveRecord
from broker_config.store.audit import Deed
from broker_config.store.code import Rewindable
from broker_config.store.feed import News, Place
from broker_config.store.logs import LogEntry
from broker_config.store.orphans import Orphan, Removal
from broker_config.wanted import Wanted
from producer.launches import NewRun


class Queues(Protocol):
    """What each raises, `broker_config.store.queues.QueueStore` says."""

    def create(self, queue: Queue) -> QueueRecord: ...

    def edit(self, queue: Queue, expected: int | None = None, note: str = "") -> QueueRecord: ...

    def delete(self, name: str) -> None: ...

    def get(self, name: str) -> QueueRecord: ...

    def counts(self, name: str) -> dict[State, int]: ...

    def oldest_wait(self, name: str) -> datetime | None: ...

    def history(self, name: str) -> list[QueueRevision]: ...

    def revision(self, name: str, number: int) -> QueueRevision: ...

    def roll_back(self, name: str, number: int, expected: int | None = None) -> QueueRecord: ...

    def set_paused(self, name: str, paused: bool, reason: str = "") -> QueueRecord: ...

    def set_draining(self, name: str, draining: bool, reason: str = "") -> QueueRecord: ...

    def check_author(self, queue: Queue) -> None: ...

    # The last one: behind it the word means it, and no more the type.
    def list(self) -> list[QueueRecord]: ...


class Launches(Protocol):
    """What each raises, `producer.launching.Launcher` says."""

    def check(self, runs: Sequence[NewRun]) -> None: ...

    def enqueue(self, runs: Sequence[NewRun]) -> list[RunId]: ...

    def enqueue_plan(self, plan: Plan) -> RunId: ...

    def plan(self, run: NewRun, earlier: RunSpec | None = None) -> Plan: ...

    def spec(self, run: NewRun) -> RunSpec: ...


class Runs(Protocol):
    """Each raises NotFound for a run that neither the broker nor a history has. One of the history says since when."""

    def get(self, run_id: RunId) -> Run: ...

    def find(self, prefix: str) -> Run:
        """The run whose id begins like that.

        Raises:
            InvalidRequest: when there are several.
        """

    def newest(self, cursor: str = "") -> Iterator[Run]:
        """All that are kept, newest first; behind the run of a cursor (`broker_config.store.runs.cursor_of`)."""

    def kept(self, wanted: Wanted, cursor: str = "") -> Iterator[Run]:
        """Those of the history that are wanted, newest first; behind the run of a cursor.

        Raises:
            NotFound: when there is no history, or whoever answers does not know it.
        """

    def waiting(self, queue: str, limit: int = 100) -> list[Run]:
        """The next runs to leave a queue, in their order."""

    def live(self, queue: str = "", limit: int = 1000) -> list[Run]:
        """Runs that agents hold, the longest held first; of one queue only, where one is named."""

    def cancel(self, run_id: RunId) -> Run:
        """Wish for its end."""

    def set_priority(self, run_id: RunId, priority: Priority) -> Run:
        """Have it leave its queue as if it had been enqueued with that priority.

        Raises:
            InvalidRequest: when its queue has no prioritization.
            Conflict: when it is not queued any more.
        """

    def events(
        self, run_id: RunId, after: str = "0-0", block_seconds: float | None = None
    ) -> list[tuple[str, Event]]: ...

    def log(self, run_id: RunId, after: str = "0-0") -> list[LogEntry]: ...

    def feed(self, run_id: RunId, after: Place, block_seconds: float | None = None) -> News: ...


class Agents(Protocol):
    def list(self) -> list[tuple[AgentInfo, bool]]:
        """All agents by name, each with whether its lease is alive."""

    def wish(self, name: str, mode: Mode, reason: str = "") -> tuple[AgentInfo, bool]:
        """Say what an agent is to do; the agent, and whether it is alive.

        Raises:
            NotFound: when there is none of that name, or several.
        """


class Explanations(Protocol):
    """Why something is as it is. Each raises NotFound where there is none of that name."""

    def run(self, run_id: RunId) -> Explanation: ...

    def queue(self, name: str) -> Explanation: ...

    def agent(self, name: str) -> Explanation: ...


class Orphans(Protocol):
    def list(self) -> list[Orphan]: ...

    def remove(self, name: str) -> None:
        """Wish that every agent which reaches the object removes it."""

    def removals(self) -> Mapping[str, Removal]: ...


class Images(Protocol):
    def all(self) -> list[Image]: ...

    def find(self, word: str) -> Image: ...

    def remove(self, image_id: str) -> None:
        """Wish that an agent which reaches the image removes it."""

    def removals(self) -> Mapping[str, Removal]: ...


class Code(Protocol):
    """What each raises, `broker_config.store.code.CodeStore` says."""

    def put(self, file: Rewindable, source: CodeSource) -> str: ...

    def is_stored(self, digest: str) -> bool: ...

    def list(self) -> Sequence[ArchiveRecord]: ...

    def unneeded(self, *, also_finished: bool) -> Sequence[ArchiveRecord]: ...

    def prune(self, *, also_finished: bool) -> Sequence[ArchiveRecord]: ...


class NamedJobs(Protocol):
    """What each raises, `broker_config.store.jobs.JobStore` says."""

    def create(self, definition: JobDefinition, aliases: Sequence[str] = ()) -> JobVersion: ...

    def get(self, entity: str, reference: JobReference) -> JobVersion: ...

    def versions(self, entity: str, name: str) -> list[JobVersion]: ...

    def list(self) -> list[JobVersion]: ...


class Accounts(Protocol):
    """What each raises, `broker_config.store.accounts.AccountStore` says."""

    def users(self) -> list[User]: ...

    def teams(self) -> list[Team]: ...

    def service_accounts(self) -> list[ServiceAccount]: ...

    def api_keys(self) -> list[tuple[ApiKey, datetime | None]]: ...

    def add_user(self, name: str, *, is_admin: bool = False) -> User: ...

    def set_admin(self, name: str, is_admin: bool) -> User: ...

    def link(self, name: str, subject: str) -> User: ...

    def add_team(self, name: str) -> Team: ...

    def set_member(self, team: str, user: str, role: Role | None) -> Team: ...

    def add_service_account(self, team: str, name: str, role: Role = Role.LAUNCHER) -> ServiceAccount: ...

    def add_key(self, wanted: NewApiKey) -> tuple[ApiKey, str]:
        """The key as it is known from now on, and its text, which is told this once."""

    def revoke_key(self, key_id: str) -> ApiKey: ...

    def audit(self, count: int = 100, before: str = "+") -> list[tuple[str, Deed]]:
        """What was changed through the server, newest first, with positions; `before` is one of them."""


class Installation(Protocol):
    """Safe to share between threads."""

    @property
    def accounts(self) -> Accounts: ...

    @property
    def queues(self) -> Queues: ...

    @property
    def launches(self) -> Launches: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def agents(self) -> Agents: ...

    @property
    def explanations(self) -> Explanations: ...

    @property
    def orphans(self) -> Orphans: ...

    @property
    def images(self) -> Images: ...

    @property
    def code(self) -> Code: ...

    @property
    def jobs(self) -> NamedJobs: ...

    def close(self) -> None: ...
