"""Runs: one launch of a job on a queue, its record, and the events that say why it changed."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NewType

from pydantic import AwareDatetime, Field, field_validator

from broker_config import resources
from broker_config.frozen import Frozen, JsonObject
from broker_config.images import ImageOrigin
from broker_config.jobs import Job, Source
from broker_config.overrides import Merged, merge, merge_with_origins
from broker_config.placeholders import Value, fill
from broker_config.priorities import Priority
from broker_config.queues import Name, Queue, full_name
from broker_config.retries import RetryPolicy
from broker_config.states import FailureClass, Hold, Reason, State
from broker_config.timeouts import Timeouts

RunId = NewType("RunId", str)

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
RUN_ID_PREFIX = re.compile(r"[a-z0-9]{1,12}")


def new_run_id() -> RunId:
    """Twelve characters (60 random bits) that are safe in a DNS label, a file name and a label value."""
    # One read of random bytes for all: 32 characters, so five bits of each byte choose without bias.
    return RunId("".join(_ALPHABET[byte & 31] for byte in secrets.token_bytes(12)))


def now() -> datetime:
    return datetime.now(UTC)


class Launch(Frozen):
    """One request to run a job on a queue, as the caller wrote it."""

    queue: str
    entity: Name | None = None  # of the queue, where its name does not say it
    job: Job
    job_version: str = ""  # of the named job that it comes from, as "team/train:v3"
    overrides: JsonObject = Field(default_factory=dict)  # laid over the queue config
    template_variables: JsonObject = Field(default_factory=dict)  # values by name, as the queue's schemas want them
    priority: Priority = Priority.MEDIUM
    name: Name | None = None
    project: Name | None = None  # what the run belongs to
    labels: dict[Name, Annotated[str, Field(max_length=256)]] = Field(default_factory=dict)
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=256)
    not_before: AwareDatetime | None = None  # no agent takes it earlier
    after: tuple[RunId, ...] = Field(default=(), max_length=100)  # no agent takes it before these have succeeded

    @property
    def full_queue(self) -> str:
        """The full name of the queue that is meant."""
        return full_name(self.queue, self.entity)


def config_of(
    queue: Queue, values: Mapping[str, Value], overrides: Mapping[str, Any], macros: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A queue's config with values for its template variables, a job's overrides over it, and macros where given.

    Raises:
        InvalidRequest: when it has a macro that is not among these.
    """
    resource = resources.load(queue.resource)
    config = fill(resource.canonical(queue.config), variables=values, macros=macros)
    return merge(config, fill(resource.canonical(overrides), macros=macros), resource.named_lists)


class RunSpec(Frozen):
    """What an agent needs to carry out a run: the message holds it, and it never changes after the enqueue."""

    id: RunId
    name: Name
    queue: Queue  # as it was at the enqueue
    queue_revision: int
    job: Job
    job_version: str = ""  # of the named job that it came from, as "team/train:v3"
    overrides: dict[str, Any] = Field(default_factory=dict)
    template_values: dict[str, Value] = Field(default_factory=dict)  # of every template variable of the queue
    priority: Priority
    project: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    author: str
    created_at: datetime
    not_before: datetime | None = None
    after: tuple[RunId, ...] = ()
    planned: str = ""  # digest of the request that the launch was agreed on with; see `broker_config.plans`

    @property
    def resource_config(self) -> dict[str, Any]:
        """The queue config with its template variables filled and the job's overrides laid over it."""
        return self.config_with(None)

    def config_with(self, macros: Mapping[str, str] | None) -> dict[str, Any]:
        """The resource config with its macros filled too.

        Raises:
            InvalidRequest: when it has a macro that is not among these.
        """
        return config_of(self.queue, self.template_values, self.overrides, macros)

    @property
    def merged(self) -> Merged:
        """The resource config, and where each of its values comes from."""
        resource = resources.load(self.queue.resource)
        written = resource.canonical(self.queue.config)
        filled = fill(written, variables=self.template_values)
        return merge_with_origins(written, filled, resource.canonical(self.overrides), resource.named_lists)

    @property
    def retries(self) -> RetryPolicy:
        """The queue's policy, as the job narrowed it."""
        job = self.job.retries
        return job.narrow(self.queue.retries) if job else self.queue.retries

    @property
    def timeouts(self) -> Timeouts:
        """The queue's limits, as the job narrowed them."""
        job = self.job.timeouts
        return job.narrow(self.queue.timeouts) if job else self.queue.timeouts

    @property
    def first_hold(self) -> Hold | None:
        """What the run waits for before it has its first order."""
        if self.after:
            return Hold.RUNS
        return Hold.TIME if self.not_before and self.not_before > self.created_at else None


class Run(Frozen):
    """The record of a run: the truth about where it is."""

    spec: RunSpec
    version: int  # grows by one with every change
    signature: str = ""  # of the spec, by whoever enqueued it; empty: not signed
    state: State
    since: datetime  # when it entered this state
    reason: Reason
    text: str = ""  # one sentence for people
    attempt: int = 1
    agent: str = ""  # the agent that holds it, or held it last
    place: int = 0  # in the order of the queue: microseconds of the broker's clock at the enqueue
    new_priority: Priority | None = None  # given since the enqueue; None: it has that of its spec
    fence: int = 0  # of the agent's session; a write with an older one is refused
    pinned_source: Source | None = None  # the job's source as the first fetch resolved it, for every later attempt
    source_signature: str = ""  # of what it was pinned to, by the agent that did so
    image: str = ""  # what the build stage produced: an image reference or an environment's path
    image_signature: str = ""  # by the agent that says so
    image_origin: ImageOrigin | None = None  # how it came by that; None where nothing had to be built
    build_seconds: float | None = None  # from the wish for it until it was there
    submission: str = ""  # the object's name at the target, written before it is submitted
    request_digest: str = ""
    exit_code: int | None = None
    failure: FailureClass | None = None
    cancel_requested_by: str = ""  # the wish to cancel; empty: none
    submitted_at: datetime | None = None  # when this attempt's submission began
    started_at: datetime | None = None
    ended_at: datetime | None = None
    hold: Hold | None = None  # set while a queued run has no order
    not_before: datetime | None = None  # it had, or has, no order before
    retries_user: int = 0  # retries by the class of the failure that they followed
    retries_config: int = 0
    retries_build: int = 0
    retries_infra: int = 0
    retries_preempted: int = 0
    retries_timeout: int = 0
    crashes: int = 0  # agents that died while they prepared or submitted it
    crash_evidence: str = ""  # one clause for each: state, agent, time
    end_reason: Reason | None = None  # why its agent has it ended: a timeout, or quarantine
    in_history_since: datetime | None = None  # when it left the broker for the history; None: the broker has it

    @field_validator(
        "new_priority",
        "image_origin",
        "build_seconds",
        "exit_code",
        "failure",
        "submitted_at",
        "started_at",
        "ended_at",
        "hold",
        "not_before",
        "end_reason",
        mode="before",
    )
    @classmethod
    def _empty_is_absent(cls, value: object) -> object:
        # A Redis hash has strings only.
        return None if value == "" else value

    @field_validator("pinned_source", mode="before")
    @classmethod
    def _text_is_parsed(cls, value: object) -> object:
        return (json.loads(value) if value else None) if isinstance(value, str) else value

    @property
    def id(self) -> RunId:
        return self.spec.id

    @property
    def priority(self) -> Priority:
        """How urgent it is now."""
        return self.spec.priority if self.new_priority is None else self.new_priority

    @property
    def source(self) -> Source:
        """What is fetched: the same for every attempt, once the first one has resolved it."""
        return self.pinned_source or self.spec.job.source

    def retries(self, failure: FailureClass) -> int:
        """How often it was tried again after a failure of that class."""
        return int(getattr(self, f"retries_{failure}", 0))

    @property
    def alarm(self) -> datetime | None:
        """When an agent has to look at this queued run, if nothing happens before: it is due, or waited too long."""
        if self.hold is Hold.RUNS:
            return None
        if self.hold is Hold.TIME:
            return self.not_before
        limit = self.spec.timeouts.queued
        return None if limit is None else max(self.since, self.not_before or self.since) + timedelta(seconds=limit)

    @property
    def object_name(self) -> str:
        """The deterministic name of this attempt at any target."""
        return f"launchyard-{self.spec.id}-{self.attempt}"


class Event(Frozen):
    """One change of a run: when, who, from where to where, and why."""

    at: datetime
    actor: str
    old: State | None = None
    new: State
    reason: Reason
    text: str = ""
    attempt: int = 1
