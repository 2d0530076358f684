"""What a team has for requests of everybody: addresses and bodies for every operation, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import httpx2

from broker_config.accounts.people import NewApiKey
from broker_config.accounts.rights import Role
from broker_config.images import Image
from broker_config.jobs import ImageSource, Job
from broker_config.named_jobs import JobDefinition
from broker_config.plans import Plan, Preview
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Launch, new_run_id, now
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.agents import Mode
from broker_config.store.orphans import Orphan
from producer.launches import NewRun
from producer.on_broker import OnBroker
from producer.wire import (
    API,
    AdminWanted,
    AgentWish,
    Edit,
    Membership,
    NewPriority,
    NewServiceAccount,
    NewTeam,
    NewUser,
    NewVersion,
    Ordered,
    PlanWanted,
    RollBack,
    Standing,
    SubjectKnown,
)
from tests.broker_config.conftest import agent_info
from tests.code import source_of
from tests.producer.server.conftest import key_of, settle

MARK = "classified"
"""Stands in the team's queues, runs, logs, jobs and keys: no answer to somebody of another team has it."""


class Scene(NamedTuple):
    """What the team has for one request: each gets its own, so that none finds what another one changed."""

    number: int
    principal: str
    queue: Queue
    run: str
    key: str

    @property
    def launch(self) -> Launch:
        return Launch(queue=self.queue.full_name, job=Job(source=ImageSource(image=f"{MARK}:1")))

    @property
    def ordered(self) -> Ordered:
        return Ordered(id=new_run_id(), name="again", launch=self.launch)

    @property
    def other_queue(self) -> Queue:
        return self.queue.model_copy(update={"name": f"new-{self.number}"})

    @property
    def plan(self) -> Plan:
        return Plan(
            run_id=new_run_id(),
            name="planned",
            author=self.principal,
            launch=self.launch,
            queue_revision=1,
            spec_digest="",
            preview=Preview(),
        )

    @property
    def definition(self) -> JobDefinition:
        return JobDefinition(entity="team-a", name=f"train-{self.number}", job=self.launch.job, description=MARK)


ARCHIVE = b"code"

BODIES: dict[str, Callable[[Scene], Any]] = {
    "POST /queues": lambda scene: scene.other_queue,
    "POST /queues/check-author": lambda scene: scene.other_queue,
    "PUT /queues/{entity}/{name}": lambda scene: Edit(queue=scene.queue),
    "PATCH /queues/{entity}/{name}/standing": lambda _: Standing(paused=True),
    "POST /queues/{entity}/{name}/roll-back": lambda _: RollBack(revision=1),
    "POST /launches": lambda scene: [scene.ordered],
    "POST /launches/check": lambda scene: [scene.ordered],
    "POST /launches/spec": lambda scene: scene.ordered,
    "POST /plans": lambda scene: PlanWanted(run=scene.ordered),
    "POST /plans/launch": lambda scene: scene.plan,
    "PUT /runs/{run_id}/priority": lambda _: NewPriority(priority=Priority.HIGH),
    "PUT /agents/{name}/wish": lambda _: AgentWish(mode=Mode.DRAINING),
    "POST /jobs": lambda scene: NewVersion(definition=scene.definition),
    "POST /users": lambda scene: NewUser(name=f"user-{scene.number}"),
    "PUT /users/{name}/admin": lambda _: AdminWanted(is_admin=False),
    "PUT /users/{name}/subject": lambda _: SubjectKnown(subject="https://id.example.com 1001"),
    "POST /teams": lambda scene: NewTeam(name=f"team-{scene.number}"),
    "PUT /teams/{team}/members/{user}": lambda _: Membership(role=Role.VIEWER),
    "POST /teams/{team}/service-accounts": lambda scene: NewServiceAccount(name=f"program-{scene.number}"),
    "POST /keys": lambda _: NewApiKey(principal="team-a/other"),
}

AGENT = agent_info().name
NAMES = {"agents": AGENT, "jobs": "train", "orphans": "launchyard-a-1", "users": "vera"}


def address(operation: str, scene: Scene) -> str:
    """The address of what the team has."""
    path = operation.partition(" ")[2]
    named = NAMES.get(path.split("/")[1], scene.queue.name)
    image = "/images/find?word=team-a-image" if path == "/images/find" else path
    return API + image.format(
        entity="team-a",
        name=named,
        number=1,
        prefix=scene.run[:10],
        run_id=scene.run,
        image_id="registry/team-a-image",
        alias="latest",
        digest=source_of(ARCHIVE).digest,
        team="team-a",
        user="vera",
        key_id=scene.key,
    )


def content(operation: str, scene: Scene) -> bytes:
    """The body of a request, as JSON where it is not the bytes of an archive."""
    if operation == "PUT /code/{digest}":
        return ARCHIVE
    body = BODIES[operation](scene) if operation in BODIES else None
    if isinstance(body, list):
        return f"[{','.join(one.model_dump_json() for one in body)}]".encode()
    return body.model_dump_json().encode() if body else b""


def orphan(seen: datetime) -> Orphan:
    return Orphan(name=NAMES["orphans"], resource="docker", agent=AGENT, since=seen, seen_at=seen)


def image(seen: datetime) -> Image:
    return Image(
        key="team-a-image",
        place="registry",
        reference="registry/team-a:1",
        source=ImageSource(image="python:3.11"),
        run="abc",
        agent=AGENT,
        built_at=seen,
        seconds=1,
        last_used=seen,
    )


class Stage:
    """Two teams, an installation that has something of everything, and a server before it."""

    def __init__(self, settings: Settings, store: Store, server: httpx2.Client) -> None:
        self._store = store
        self._numbers = count(1)
        self._server = server
        self._leo = OnBroker(store, settings.model_copy(update={"author": "leo"}))
        settle(store)
        store.accounts.add_team("team-b")
        store.accounts.add_service_account("team-b", "nightly", Role.OWNER)
        store.accounts.add_service_account("team-a", "other")
        for role in (Role.VIEWER, Role.LAUNCHER, Role.OWNER):
            store.accounts.add_user(f"b-{role}")
            store.accounts.set_member("team-b", f"b-{role}", role)
        seen = now() - timedelta(minutes=5)
        store.agents.announce(agent_info())
        store.orphans.report(AGENT, [orphan(seen)])
        store.images.record(image(seen))
        store.jobs.create(self.scene("leo").definition.model_copy(update={"name": "train"}), "leo")

    def openapi(self) -> Any:
        """The document of the API, which everybody may read."""
        return self._server.get(f"{API}/openapi.json").raise_for_status().json()

    def scene(self, principal: str, *, has_run: bool = True) -> Scene:
        """A queue of the team with a run of leo's, and a key of one of its programs."""
        number = next(self._numbers)
        queue = Queue(name=f"q-{number}", entity="team-a", resource="stub", prioritization=True, description=MARK)
        self._store.queues.create(queue)
        self._store.queues.edit(queue.model_copy(update={"max_queued": 100}))
        key, _ = self._store.accounts.add_key(NewApiKey(principal="team-a/other", note=MARK), "olga")
        scene = Scene(number, principal, queue, "", key.id)
        if not has_run:
            return scene
        ordered = scene.ordered
        (run,) = self._leo.launches.enqueue([NewRun(ordered.id, ordered.name, ordered.launch)])
        self._store.logs.append(run, "job", [MARK])
        return scene._replace(run=run)

    def ask(self, operation: str, principal: str, limits: dict[str, Any] | None) -> Answer:
        """What somebody is answered; without limits, who shows no key."""
        scene = self.scene(principal, has_run=not operation.startswith("DELETE /queues"))
        headers = {"Content-Type": "application/json"}
        if limits is not None:
            headers["Authorization"] = f"Bearer {key_of(self._store, principal, **limits)}"
        before = self._store.audit.newest(1)
        method, where, body = operation.split()[0], address(operation, scene), content(operation, scene)
        with self._server.stream(method, where, content=body, headers=headers) as reply:
            # A stream has no end: what it says first is all that is read of it.
            is_stream = operation.endswith("/stream") and reply.status_code == httpx2.codes.OK
            text = next(reply.iter_text()) if is_stream else reply.read().decode()
        return Answer(reply.status_code, text, self._store.audit.newest(1) != before)


class Answer(NamedTuple):
    """What came of a request."""

    status: int
    text: str
    is_written_down: bool
