"""The documents of the HTTP API, as the server and its client both know them.

What is a model of `broker_config` goes over the wire as it is; these are the others.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Generic, Literal, TypeVar

from pydantic import Field

from broker_config.accounts.people import ApiKey, Subject
from broker_config.accounts.rights import Role
from broker_config.frozen import Frozen
from broker_config.named_jobs import JobDefinition
from broker_config.priorities import Priority
from broker_config.queues import DEFAULT_ENTITY, Name, Queue, QueueRecord
from broker_config.runs import Event, Launch, RunId
from broker_config.states import State
from broker_config.store.agents import AgentInfo, Mode
from broker_config.store.audit import Deed
from broker_config.store.feed import Place
from broker_config.store.orphans import Orphan, Removal

T = TypeVar("T")

API = "/api/v1"

LONGEST_WAIT_SECONDS = 20.0
"""Longest time that one request waits for news."""

RUN_ID = r"^[a-z2-9]{12}$"


class QueueSeen(Frozen):
    """A queue, and how many runs it has in each state."""

    record: QueueRecord
    counts: dict[State, int]
    oldest_wait: datetime | None = None  # since when the run waits that has waited longest


class Edit(Frozen):
    """A queue's new definition."""

    queue: Queue
    expected: int | None = None  # the revision that it is made from; another one there is a conflict
    note: str = Field(default="", max_length=1000)


class RollBack(Frozen):
    """Which revision is to hold again."""

    revision: int
    expected: int | None = None


class Standing(Frozen):
    """Whether a queue hands out runs, or takes them."""

    paused: bool | None = None
    reason: str = ""
    draining: bool | None = None


class Ordered(Frozen):
    """A launch as one run, whose id its client has chosen, so that it may be sent again."""

    id: RunId = Field(pattern=RUN_ID)
    name: Name
    launch: Launch


class PlanWanted(Frozen):
    """A launch that is only to be looked at."""

    run: Ordered
    diff: RunId | None = None  # an earlier run to compare with


class Launched(Frozen):
    """For each run in a request, the one that there is now."""

    ids: list[RunId]


class Page(Frozen, Generic[T]):
    """A part of a list."""

    items: list[T]
    cursor: str | None = None  # asks for the next part; None: this is the last


class NewPriority(Frozen):
    """What a run that waits is to have."""

    priority: Priority  # 0: critical, 1: high, 2: medium, 3: low


class EventSeen(Frozen):
    """An event of a run, and its place."""

    kind: Literal["event"] = "event"
    position: str
    event: Event


class LogBatch(Frozen):
    """Whole lines of a run's log, and their place."""

    kind: Literal["log"] = "log"
    position: str
    stream: str  # "job" or "build"
    lines: list[str]
    before: int = 0  # how many lines the job had printed before


class NewsPage(Frozen):
    """Events and log lines of a run in their order, and from where to read on."""

    items: list[EventSeen | LogBatch]
    events: str
    log: str


class AgentSeen(Frozen):
    """What an agent says of itself, and whether its lease is alive."""

    info: AgentInfo
    is_alive: bool


class AgentWish(Frozen):
    """What an agent is to do."""

    mode: Mode
    reason: str = Field(default="", max_length=1000)


class OrphansSeen(Frozen):
    """Objects at the targets that belong to no run, and what became of wishes to remove some."""

    orphans: list[Orphan]
    removals: dict[str, Removal]


class NewVersion(Frozen):
    """What the next version of a named job says."""

    definition: JobDefinition
    aliases: tuple[str, ...] = ()


class CodeSeen(Frozen):
    """Whether an archive is stored, and need not be sent."""

    is_stored: bool


class Stored(Frozen):
    """Where an archive went to."""

    place: str  # empty: it was there


class NewUser(Frozen):
    """Somebody who is to have an account."""

    name: Name
    is_admin: bool = False


class NewTeam(Frozen):
    """A team that is to be made."""

    name: Name


class AdminWanted(Frozen):
    """Whether a user is to be an admin of the installation."""

    is_admin: bool


class SubjectKnown(Frozen):
    """Who signs in as a user."""

    subject: Subject


class Membership(Frozen):
    """What a user is to be in a team."""

    role: Role | None = None  # None: nobody


class NewServiceAccount(Frozen):
    """A program that is to have an account in a team."""

    name: Name
    role: Role = Role.LAUNCHER


class KeySeen(Frozen):
    """What is known of an API key."""

    key: ApiKey
    used_at: datetime | None = None


class KeyMade(Frozen):
    """A new API key: its text is told this once."""

    key: ApiKey
    text: str


class DeedSeen(Frozen):
    """An entry of the audit trail, and its position."""

    position: str
    deed: Deed


class Problem(Frozen):
    """An error as RFC 9457 has it; `code` and `detail` are those of the command line."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    findings: list[tuple[str, str, str, str]] = Field(default_factory=list)  # severity, pointer, text, place
    delay_seconds: float | None = None  # after which the same may be asked again


def places(text: str) -> Place | None:
    """The places in a run's events and log that `EVENTS/LOG` says; None: it says none."""
    found = re.fullmatch(r"(\d{1,15}-\d{1,15})/(\d{1,15}-\d{1,15})", text)
    return Place(found[1], found[2]) if found else None


def queue_path(full_name: str) -> str:
    """Where a queue is in the API."""
    entity, _, name = full_name.rpartition("/")
    return f"{API}/queues/{entity or DEFAULT_ENTITY}/{name}"
