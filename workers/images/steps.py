"""The steps of a build, as its builder tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LAST_LINES = 20
"""Of a failed step's output, in the error."""


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One step of a build."""

    name: str  # such as the Dockerfile's instruction
    seconds: float
    is_cached: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What a build ended with."""

    words: str  # of the builder
    last: Sequence[str]  # lines of output, of the step that failed where that is known
    step: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A build at its end."""

    steps: tuple[BuildStep, ...]  # those that ended well
    failure: Failure | None = None
    pushed: str | None = None  # the image by its digest in the registry, where the build has also pushed it
