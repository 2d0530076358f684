"""Images on record: what was built, of what and by whom, and when it was last used."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict

from broker_config.frozen import Frozen
from broker_config.jobs import Source


class ImageOrigin(StrEnum):
    """How a run came by what it runs."""

    BUILT = "built"  # by its agent, for it
    AWAITED = "awaited"  # built by another one meanwhile
    REUSED = "reused"  # it was there
    BASE = "base"  # a base image: the code is brought into it at the start, and what it needs is installed then


class ImageStep(Frozen):
    """One step of a build."""

    name: str  # such as the Dockerfile's instruction
    seconds: float
    is_cached: bool = False


class Image(Frozen):
    """What a build has made: an image, or an environment on an agent's machine."""

    # In an upgrade, agents of two versions write them.
    model_config = ConfigDict(extra="ignore")

    key: str  # names all that changes it
    place: str  # a registry's repository, an engine, or a folder of a machine
    reference: str
    size_bytes: int | None = None
    source: Source
    run: str  # for which it was built
    agent: str
    built_at: datetime
    seconds: float
    steps: tuple[ImageStep, ...] = ()
    last_used: datetime

    @property
    def id(self) -> str:
        """Tells it from every other one, also from one of the same content at another place."""
        return f"{self.place}/{self.key}"

    @property
    def digest(self) -> str:
        """That of its manifest, where a registry has it."""
        return self.reference.partition("@")[2]
