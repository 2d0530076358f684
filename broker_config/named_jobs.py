"""Named jobs: what to run under a name, in versions that never change, with aliases that move from one to the next.

References are written as in W&B Launch: `name`, `name:v3`, `name:alias`, `entity/name:alias` and
`entity/project/name:alias`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pydantic import Field

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen, parse
from broker_config.inputs import Input
from broker_config.jobs import Job
from broker_config.queues import Name

LATEST = "latest"
"""The alias of the newest version."""

_VERSION = re.compile(r"v(0|[1-9][0-9]*)")


class JobDefinition(Frozen):
    """What one version says."""

    entity: Name  # the team or user that owns the job
    name: Name
    job: Job
    project: Name | None = None  # what its runs belong to unless their launch says so
    description: str = Field(default="", max_length=1000)
    inputs: Input | None = None  # what its run config has to obey in a launch


class JobVersion(Frozen):
    """A version of a named job as the store holds it."""

    definition: JobDefinition
    number: int
    author: str
    created_at: datetime
    aliases: tuple[str, ...] = ()  # those that point to it now

    @property
    def job(self) -> Job:
        return self.definition.job

    @property
    def reference(self) -> str:
        """What means this version for ever."""
        return f"{self.definition.entity}/{self.definition.name}:v{self.number}"


class JobReference(NamedTuple):
    """What a reference says."""

    name: str
    alias: str = LATEST
    entity: str | None = None
    project: str | None = None

    @property
    def number(self) -> int | None:
        """The version, if the alias names one."""
        return int(self.alias[1:]) if _VERSION.fullmatch(self.alias) else None


class _Parts(Frozen):
    name: Name
    alias: Name
    entity: Name | None = None
    project: Name | None = None


def parse_reference(text: str) -> JobReference:
    """What a reference says.

    Raises:
        InvalidRequest: when it is none.
    """
    path, colon, alias = text.partition(":")
    *owners, name = path.split("/")
    if len(owners) > 2 or (colon and not alias):
        raise InvalidRequest(f"job {text!r} is no name; write name, name:v0, name:alias or entity/name:alias")
    given: dict[str, str] = dict(zip(("entity", "project"), owners, strict=False))
    parts = parse(_Parts, {"name": name, "alias": alias or LATEST, **given}, f"job {text!r}")
    return JobReference(**parts.model_dump())


def check_aliases(aliases: Iterable[str]) -> None:
    """Refuse what cannot be an alias that somebody chooses.

    Raises:
        InvalidRequest: when one is no name, or means a version already.
    """
    for alias in aliases:
        parse(_Parts, {"name": "job", "alias": alias}, f"alias {alias!r}")
        if alias == LATEST or _VERSION.fullmatch(alias):
            raise InvalidRequest(f"alias {alias!r} is given by Launchyard itself; choose another word")
