"""See `producer.installation.Installation`: each call is one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import quote

from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from broker_config.accounts.rights import Role
from broker_config.explaining.explanation import Explanation
from broker_config.frozen import parse
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
from producer.launches import NewRun
from producer.over_http.connection import Connection
from producer.wire import (
    API,
    AdminWanted,
    AgentSeen,
    AgentWish,
    CodeSeen,
    DeedSeen,
    Edit,
    EventSeen,
    KeyMade,
    KeySeen,
    Launched,
    LogBatch,
    Membership,
    NewPriority,
    NewServiceAccount,
    NewsPage,
    NewTeam,
    NewUser,
    NewVersion,
    Ordered,
    OrphansSeen,
    Page,
    PlanWanted,
    QueueSeen,
    RollBack,
    Standing,
    Stored,
    SubjectKnown,
    queue_path,
)

CHUNK_BYTES = 256 * 1024
RUNS_OF_A_REQUEST = 500


class OverHttp:
    """An installation behind a server, which knows the author by the API key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.accounts = AccountsOverHttp(connection)
        self.queues = QueuesOverHttp(connection)
        self.launches = LaunchesOverHttp(connection)
        self.runs = RunsOverHttp(connection)
        self.agents = AgentsOverHttp(connection)
        self.explanations = ExplanationsOverHttp(connection)
        self.orphans = OrphansOverHttp(connection)
        self.images = ImagesOverHttp(connection)
        self.code = CodeOverHttp(connection)
        self.jobs = JobsOverHttp(connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class AccountsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def users(self) -> list[User]:
        return [*self._all(Page[User], f"{API}/users")]

    def teams(self) -> list[Team]:
        return [*self._all(Page[Team], f"{API}/teams")]

    def service_accounts(self) -> list[ServiceAccount]:
        return [*self._all(Page[ServiceAccount], f"{API}/service-accounts")]

    def api_keys(self) -> list[tuple[ApiKey, datetime | None]]:
        return [(seen.key, seen.used_at) for seen in self._all(Page[KeySeen], f"{API}/keys")]

    def add_user(self, name: str, *, is_admin: bool = False) -> User:
        return self._ask(User, "POST", f"{API}/users", parse(NewUser, {"name": name, "is_admin": is_admin}, "user"))

    def set_admin(self, name: str, is_admin: bool) -> User:
        return self._ask(User, "PUT", f"{API}/users/{quote(name)}/admin", AdminWanted(is_admin=is_admin))

    def link(self, name: str, subject: str) -> User:
        known = parse(SubjectKnown, {"subject": subject}, f"user {name!r}")
        return self._ask(User, "PUT", f"{API}/users/{quote(name)}/subject", known)

    def add_team(self, name: str) -> Team:
        return self._ask(Team, "POST", f"{API}/teams", parse(NewTeam, {"name": name}, "team"))

    def set_member(self, team: str, user: str, role: Role | None) -> Team:
        path = f"{API}/teams/{quote(team)}/members/{quote(user)}"
        return self._ask(Team, "PUT", path, Membership(role=role))

    def add_service_account(self, team: str, name: str, role: Role = Role.LAUNCHER) -> ServiceAccount:
        account = parse(NewServiceAccount, {"name": name, "role": role}, "service account")
        return self._ask(ServiceAccount, "POST", f"{API}/teams/{quote(team)}/service-accounts", account)

    def add_key(self, wanted: NewApiKey) -> tuple[ApiKey, str]:
        made = self._ask(KeyMade, "POST", f"{API}/keys", wanted)
        return made.key, made.text

    def revoke_key(self, key_id: str) -> ApiKey:
        return self._ask(ApiKey, "POST", f"{API}/keys/{quote(key_id)}/revoke")

    def audit(self, count: int = 100, before: str = "+") -> list[tuple[str, Deed]]:
        cursor = "" if before == "+" else before
        found = self._ask(Page[DeedSeen], "GET", f"{API}/audit", cursor=cursor, limit=count)
        return [(seen.position, seen.deed) for seen in found.items]


class QueuesOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def create(self, queue: Queue) -> QueueRecord:
        return self._ask(QueueRecord, "POST", f"{API}/queues", queue)

    def edit(self, queue: Queue, expected: int | None = None, note: str = "") -> QueueRecord:
        edit = parse(Edit, {"queue": queue, "expected": expected, "note": note}, "edit")
        return self._ask(QueueRecord, "PUT", queue_path(queue.full_name), edit)

    def delete(self, name: str) -> None:
        self._ask(type(None), "DELETE", queue_path(name))

    def get(self, name: str) -> QueueRecord:
        return self._seen(name).record

    def counts(self, name: str) -> dict[State, int]:
        return self._seen(name).counts

    def oldest_wait(self, name: str) -> datetime | None:
        return self._seen(name).oldest_wait

    def history(self, name: str) -> list[QueueRevision]:
        return self._ask(list[QueueRevision], "GET", f"{queue_path(name)}/revisions")

    def revision(self, name: str, number: int) -> QueueRevision:
        return self._ask(QueueRevision, "GET", f"{queue_path(name)}/revisions/{number}")

    def roll_back(self, name: str, number: int, expected: int | None = None) -> QueueRecord:
        back = RollBack(revision=number, expected=expected)
        return self._ask(QueueRecord, "POST", f"{queue_path(name)}/roll-back", back)

    def set_paused(self, name: str, paused: bool, reason: str = "") -> QueueRecord:
        return self._stand(name, Standing(paused=paused, reason=reason))

    def set_draining(self, name: str, draining: bool, reason: str = "") -> QueueRecord:
        return self._stand(name, Standing(draining=draining, reason=reason))

    def check_author(self, queue: Queue) -> None:
        self._ask(type(None), "POST", f"{API}/queues/check-author", queue)

    def list(self) -> list[QueueRecord]:
        return [seen.record for seen in self._all(Page[QueueSeen], f"{API}/queues")]

    def _seen(self, name: str) -> QueueSeen:
        return self._ask(QueueSeen, "GET", queue_path(name))

    def _stand(self, name: str, standing: Standing) -> QueueRecord:
        return self._ask(QueueRecord, "PATCH", f"{queue_path(name)}/standing", standing)


class LaunchesOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def check(self, runs: Sequence[NewRun]) -> None:
        for part in _parts(runs):
            self._ask(type(None), "POST", f"{API}/launches/check", part)

    def enqueue(self, runs: Sequence[NewRun]) -> list[RunId]:
        parts = _parts(runs)
        if len(parts) > 1:
            # All are checked before the first is written.
            self.check(runs)
        return [run_id for part in parts for run_id in self._ask(Launched, "POST", f"{API}/launches", part).ids]

    def enqueue_plan(self, plan: Plan) -> RunId:
        return self._ask(Launched, "POST", f"{API}/plans/launch", plan).ids[0]

    def plan(self, run: NewRun, earlier: RunSpec | None = None) -> Plan:
        wanted = PlanWanted(run=_ordered(run), diff=earlier.id if earlier else None)
        return self._ask(Plan, "POST", f"{API}/plans", wanted)

    def spec(self, run: NewRun) -> RunSpec:
        return self._ask(RunSpec, "POST", f"{API}/launches/spec", _ordered(run))


class RunsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def get(self, run_id: RunId) -> Run:
        return self.find(run_id)

    def find(self, prefix: str) -> Run:
        return self._ask(Run, "GET", _run_path(prefix))

    def newest(self, cursor: str = "") -> Iterator[Run]:
        return self._all(Page[Run], f"{API}/runs", cursor)

    def waiting(self, queue: str, limit: int = 100) -> list[Run]:
        return self._ask(list[Run], "GET", f"{queue_path(queue)}/waiting", limit=limit)

    def live(self, queue: str = "", limit: int = 1000) -> list[Run]:
        return self._ask(list[Run], "GET", f"{API}/live-runs", queue=queue, limit=limit)

    def cancel(self, run_id: RunId) -> Run:
        return self._ask(Run, "POST", f"{_run_path(run_id)}/cancel")

    def set_priority(self, run_id: RunId, priority: Priority) -> Run:
        return self._ask(Run, "PUT", f"{_run_path(run_id)}/priority", NewPriority(priority=priority))

    def events(self, run_id: RunId, after: str = "0-0", block_seconds: float | None = None) -> list[tuple[str, Event]]:
        found = self._ask(list[EventSeen], "GET", f"{_run_path(run_id)}/events", after=after, wait=block_seconds)
        return [(seen.position, seen.event) for seen in found]

    def log(self, run_id: RunId, after: str = "0-0") -> list[LogEntry]:
        return [_entry(batch) for batch in self._ask(list[LogBatch], "GET", f"{_run_path(run_id)}/log", after=after)]

    def feed(self, run_id: RunId, after: Place, block_seconds: float | None = None) -> News:
        path = f"{_run_path(run_id)}/news"
        page = self._ask(NewsPage, "GET", path, events=after.event, log=after.log, wait=block_seconds)
        items = [_entry(item) if isinstance(item, LogBatch) else item.event for item in page.items]
        return News(items, Place(page.events, page.log))


class AgentsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def list(self) -> list[tuple[AgentInfo, bool]]:
        return [(seen.info, seen.is_alive) for seen in self._ask(list[AgentSeen], "GET", f"{API}/agents")]

    def wish(self, name: str, mode: Mode, reason: str = "") -> tuple[AgentInfo, bool]:
        wish = parse(AgentWish, {"mode": mode, "reason": reason}, "wish")
        seen = self._ask(AgentSeen, "PUT", f"{API}/agents/{quote(name, safe='')}/wish", wish)
        return seen.info, seen.is_alive


class ExplanationsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def run(self, run_id: RunId) -> Explanation:
        return self._ask(Explanation, "GET", f"{_run_path(run_id)}/explanation")

    def queue(self, name: str) -> Explanation:
        return self._ask(Explanation, "GET", f"{queue_path(name)}/explanation")

    def agent(self, name: str) -> Explanation:
        return self._ask(Explanation, "GET", f"{API}/agents/{quote(name, safe='')}/explanation")


class OrphansOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def list(self) -> list[Orphan]:
        return self._ask(OrphansSeen, "GET", f"{API}/orphans").orphans

    def remove(self, name: str) -> None:
        self._ask(type(None), "DELETE", f"{API}/orphans/{quote(name)}")

    def removals(self) -> Mapping[str, Removal]:
        return self._ask(OrphansSeen, "GET", f"{API}/orphans").removals


class ImagesOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def all(self) -> list[Image]:
        return [*self._all(Page[Image], f"{API}/images")]

    def find(self, word: str) -> Image:
        return self._ask(Image, "GET", f"{API}/images/find", word=word)

    def remove(self, image_id: str) -> None:
        self._ask(type(None), "DELETE", f"{API}/images/{quote(image_id)}")

    def removals(self) -> Mapping[str, Removal]:
        return self._ask(dict[str, Removal], "GET", f"{API}/images/removals")


class CodeOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def put(self, file: Rewindable, source: CodeSource) -> str:
        if self.is_stored(source.digest):
            return ""
        file.seek(0)
        chunks = iter(partial(file.read, CHUNK_BYTES), b"")
        return self._ask(Stored, "PUT", f"{API}/code/{source.digest}", chunks).place

    def is_stored(self, digest: str) -> bool:
        return self._ask(CodeSeen, "GET", f"{API}/code/{digest}").is_stored

    def unneeded(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        return [*self._all(Page[ArchiveRecord], f"{API}/code", unneeded=True, finished=also_finished)]

    def prune(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        return self._ask(list[ArchiveRecord], "DELETE", f"{API}/code", finished=also_finished)

    def list(self) -> Sequence[ArchiveRecord]:
        return [*self._all(Page[ArchiveRecord], f"{API}/code")]


class JobsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def create(self, definition: JobDefinition, aliases: Sequence[str] = ()) -> JobVersion:
        version = NewVersion(definition=definition, aliases=tuple(aliases))
        return self._ask(JobVersion, "POST", f"{API}/jobs", version)

    def get(self, entity: str, reference: JobReference) -> JobVersion:
        path = f"{API}/jobs/{reference.entity or entity}/{reference.name}/{reference.alias}"
        return self._ask(JobVersion, "GET", path, project=reference.project)

    def versions(self, entity: str, name: str) -> list[JobVersion]:
        return [*self._all(Page[JobVersion], f"{API}/jobs/{entity}/{name}")]

    def list(self) -> list[JobVersion]:
        return [*self._all(Page[JobVersion], f"{API}/jobs")]


def _run_path(run_id: str) -> str:
    return f"{API}/runs/{quote(run_id, safe='')}"


def _ordered(run: NewRun) -> Ordered:
    return Ordered(id=run.id, name=run.name, launch=run.launch)


def _parts(runs: Sequence[NewRun]) -> list[list[Ordered]]:
    size = RUNS_OF_A_REQUEST
    return [[_ordered(run) for run in runs[start : start + size]] for start in range(0, len(runs), size)]


def _entry(batch: LogBatch) -> LogEntry:
    return LogEntry(batch.position, batch.stream, batch.lines, batch.before)
