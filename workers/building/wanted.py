"""What a run needs to have built, and how it came by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker_config.images import ImageOrigin
from broker_config.runs import Run
from workers.builders.protocol import Artifact, Builder, BuildOrder


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run needs to have built."""

    run: Run
    builder: Builder
    order: BuildOrder
    key: str
    cancelled: Callable[[], bool]

    @property
    def id(self) -> str:
        """The key, with the place where it is wanted."""
        return f"{self.builder.place}/{self.key}"

    def find(self) -> Artifact | None:
        """The artifact, if it is there."""
        return self.builder.find(self.order, self.key)


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact, and how a run came by it."""

    artifact: Artifact
    origin: ImageOrigin
    seconds: float = 0.0
