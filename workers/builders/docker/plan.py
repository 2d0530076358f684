"""One build, decided in full before it is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from workers.images.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Plan:
    """What a way of building needs to know."""

    recipe: Recipe
    reference: str  # how the image is to be named
    platform: str | None  # None: the engine's own


class Running(Protocol):
    """A build under way."""

    def lines(self) -> Iterator[str]:
        """Its output until its end; blocks between the lines."""

    def end(self) -> None:
        """End it, from another thread, within a second."""

    def failure(self, last: Sequence[str]) -> str | None:
        """After its last line: what went wrong, in docker's words. `last` are the last lines of its output."""
