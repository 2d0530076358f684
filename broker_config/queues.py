"""Queues: a name, its owner, the target resource it points to and the config for that resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen, JsonObject, parse
from broker_config.pointers import from_pointer
from broker_config.retries import RetryPolicy
from broker_config.template_shapes import TemplateVariables
from broker_config.timeouts import Timeouts
from broker_config.wrappers import RESOURCE_ALIASES, unwrap

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")

RESERVED = re.compile(r"celery$|celery-task-meta-|celeryev|unacked|.*\.celery\.pidbox")
"""Celery's default queue, which a plain worker would drain, and what kombu and Celery keep under such names: results,
events, unacknowledged messages, mailboxes. Any agent may write there (`acl.agent`), also one of another queue."""

DEFAULT_ENTITY = "default"
"""Owns the queues of installations that do not tell teams apart."""


def check_name(name: str) -> str:
    """A name that every target and label takes: 1 to 64 letters, digits, `.`, `_` and `-`, with no mark at an end."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a name; use 1 to 64 letters, digits, '.', '_' and '-', beginning and ending with a "
            "letter or digit"
        )
    return name


def full_name(name: str, entity: str | None = None) -> str:
    """A queue's name in the whole installation: `gpu` of the default entity, `team-a/gpu` of another one.

    It is also the name of its Celery queue. No name holds a `/`, so no two queues have the same. `entity` is that of a
    name that says none; `default/gpu` is `gpu`.
    """
    owner, _, own = name.rpartition("/")
    owner = owner or entity or DEFAULT_ENTITY
    return own if owner == DEFAULT_ENTITY else f"{owner}/{own}"


def check_full_name(name: str) -> str:
    """A full name whose list of messages is nobody else's key on the broker. It may say the default entity."""
    for part in name.split("/", 1):
        check_name(part)
    name = full_name(name)
    if RESERVED.match(name):
        raise ValueError(f"{name!r} is a name of Celery's on the broker; choose another one for the queue")
    return name


Name = Annotated[str, AfterValidator(check_name), Field(json_schema_extra={"pattern": f"^{NAME.pattern}$"})]
FullName = Annotated[
    str,
    AfterValidator(check_full_name),
    Field(json_schema_extra={"pattern": f"^(?:{NAME.pattern}/)?{NAME.pattern}$"}),
]


def check_overridable(given: Any) -> Any:
    """`nothing`, `variables`, `all`, or a list of places in the config, each a JSON Pointer."""
    words = ("nothing", "variables", "all")
    is_list = isinstance(given, list | tuple) and all(isinstance(path, str) for path in given)
    if given not in words and not is_list:
        raise ValueError(f"{given!r} must be {', '.join(words)}, or a list of paths such as '/spec/replicas'")
    if is_list:
        for path in given:
            if not from_pointer(path):
                raise ValueError("the path '' names nothing; write '/*' for everything that is not guarded")
    return given


Overridable = Annotated[Literal["nothing", "variables", "all"] | tuple[str, ...], BeforeValidator(check_overridable)]


def check_link(url: str) -> str:
    """A link that a page may show: it leads to a web page, and runs nothing."""
    if not re.fullmatch(r"https?://[^\s/]\S*", url):
        raise ValueError(f"{url[:80]!r} is no link; write one that begins with https:// or http://")
    return url


ExternalLinks = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=64)],
        Annotated[str, Field(max_length=2048), AfterValidator(check_link)],
    ],
    Field(max_length=20),
]

Limit = Annotated[int | None, Field(ge=1, le=1_000_000)]
"""How many runs there may be; None is no limit. To have none at all, pause or drain the queue."""

LIMITS = ("max_running", "max_running_per_author", "max_queued", "max_queued_per_author")


class PinImages(StrEnum):
    """When the tag of a job's image becomes the digest that it stands for."""

    ENQUEUE = "enqueue"  # by whoever launches, so that what waits in the queue cannot change any more
    CLAIM = "claim"  # by the run's first agent


class Queue(Frozen):
    """What a platform owner writes down about a queue."""

    name: Name
    entity: Name = Field(default=DEFAULT_ENTITY)  # the team or user that owns the queue
    private: bool = False  # its entity is a user: only that author sees it and launches on it
    resource: str  # name of the target resource, e.g. "docker"
    config: JsonObject = Field(default_factory=dict)  # in the target's own shape
    template_variables: TemplateVariables = Field(default_factory=dict)  # what a launch chooses in the config
    overridable: Overridable = "all"  # what of the config a job's overrides may change
    prioritization: bool = False  # off: one FIFO
    pin_images: PinImages | None = None  # None: images are run as they are named
    description: str = Field(default="", max_length=1000)
    external_links: ExternalLinks = Field(default_factory=dict)  # by label: a dashboard, a page about the queue
    max_running: Limit = None  # runs that agents hold at once
    max_running_per_author: Limit = None
    max_queued: Limit = None  # runs that wait, held ones among them
    max_queued_per_author: Limit = None
    retries: RetryPolicy = Field(default_factory=RetryPolicy)
    timeouts: Timeouts = Field(default_factory=Timeouts)

    @model_validator(mode="before")
    @classmethod
    def _split_full_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(name := data.get("name"), str) or "/" not in name:
            return data
        entity, _, own = name.partition("/")
        if data.get("entity", entity) != entity:
            raise ValueError(f"the name {name!r} names another entity than {data['entity']!r}; leave one of them out")
        return {**data, "entity": entity, "name": own}

    @model_validator(mode="after")
    def _has_a_name_of_its_own(self) -> Queue:
        check_full_name(self.full_name)
        return self

    @model_validator(mode="after")
    def _private_queue_has_a_user(self) -> Queue:
        if self.private and self.entity == DEFAULT_ENTITY:
            raise ValueError("a private queue belongs to a user: name its author as the entity")
        return self

    @property
    def full_name(self) -> str:
        return full_name(self.name, self.entity)

    def is_hidden_from(self, author: str) -> bool:
        """Whether the queue is another author's own."""
        return self.private and self.entity != author

    @field_validator("resource")
    @classmethod
    def _resolve_alias(cls, resource: str) -> str:
        return RESOURCE_ALIASES.get(resource, resource)

    @field_validator("config", mode="before")
    @classmethod
    def _unwrap(cls, config: Any, info: ValidationInfo) -> Any:
        try:
            return unwrap(config, info.data.get("resource", "")).config
        except InvalidRequest as error:
            raise ValueError(str(error)) from error


class QueueRecord(Frozen):
    """A queue as the store holds it."""

    queue: Queue
    revision: int  # counts the edits, and is never used again, also by a later queue of this name
    created_at: datetime
    updated_at: datetime
    updated_by: str = ""  # the author of the newest revision
    paused: bool = False
    pause_reason: str = ""
    paused_by: str = ""
    paused_at: datetime | None = None
    draining: bool = False  # takes no launches any more, until it is deleted or resumed
    drain_reason: str = ""

    @property
    def name(self) -> str:
        return self.queue.full_name


def parse_queue(data: Mapping[str, Any]) -> Queue:
    """A queue from plain data.

    Raises:
        InvalidRequest: when a field is unknown, missing or wrong.
    """
    return parse(Queue, data, f"queue {data.get('name', '')!r}")
