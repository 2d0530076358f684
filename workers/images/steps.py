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


def summary(steps: Sequence[BuildStep], size_bytes: int | None) -> str:
    """How long a build took, for the end of its log."""
    done = [step for step in steps if not step.is_cached]
    slowest = max(done, key=lambda step: step.seconds, default=None)
    text = f"{len(steps)} steps, {len(steps) - len(done)} of them cached"
    if slowest is not None and slowest.seconds >= 1:
        text += f"; the longest took {slowest.seconds:.1f} s: {slowest.name}"
    return text if size_bytes is None else f"{text}; the image has {size_bytes / 1e6:.1f} MB"
