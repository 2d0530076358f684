"""Queues: a name, its owner, the target resource it points to and the config for that resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from broker_config.frozen import Frozen, parse

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")

RESERVED_NAMES = frozenset({"unacked", "unacked_index", "unacked_mutex", "celery"})
"""Keys of kombu's Redis transport, and Celery's default queue, which a plain worker would drain."""

RESOURCE_ALIASES = {"local-container": "docker", "local": "docker", "gcp-vertex": "vertex"}
"""W&B Launch's names for target resources that have a shorter one here."""


def check_name(name: str) -> str:
    """A name that every target and label takes: 1 to 64 letters, digits, `.`, `_` and `-`, none of the last at an end."""
    if not NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise ValueError(
            f"{name!r} cannot be a name; use 1 to 64 letters, digits, '.', '_' and '-', beginning and ending with a "
            f"letter or digit, and none of {', '.join(sorted(RESERVED_NAMES))}"
        )
    return name


Name = Annotated[str, AfterValidator(check_name)]


class Queue(Frozen):
    """What a platform owner writes down about a queue."""

    name: Name
    entity: Name = Field(default="default")  # the team or user that owns the queue
    resource: str  # name of the target resource, e.g. "docker"
    config: dict[str, Any] = Field(default_factory=dict)  # in the target's own shape
    prioritization: bool = False  # off: one FIFO
    description: str = Field(default="", max_length=1000)

    @field_validator("resource")
    @classmethod
    def _resolve_alias(cls, resource: str) -> str:
        return RESOURCE_ALIASES.get(resource, resource)


class QueueRecord(Frozen):
    """A queue as the store holds it."""

    queue: Queue
    revision: int  # grows with every edit, and is never used again
    created_at: datetime
    updated_at: datetime
    paused: bool = False
    pause_reason: str = ""

    @property
    def name(self) -> str:
        return self.queue.name


def parse_queue(data: Mapping[str, Any]) -> Queue:
    """A queue from plain data.

    Raises:
        InvalidRequest: when a field is unknown, missing or wrong.
    """
    return parse(Queue, data, f"queue {data.get('name', '')!r}")
