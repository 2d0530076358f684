"""One build, decided in full before it is started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workers.images.dockerfile import Dockerfile

KEY_LABEL = "launchyard.build-key"
"""On every image that we build. A container has its image's labels, so none of those that mark containers is here."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a way of building needs to know."""

    dockerfile: Dockerfile
    folder: Path
    reference: str  # how the image is to be named
    key: str
    platform: str | None
    build_args: Mapping[str, str]

    @property
    def labels(self) -> Mapping[str, str]:
        return {KEY_LABEL: self.key}


class Running(Protocol):
    """A build under way."""

    def lines(self) -> Iterator[str]:
        """Its output until its end; blocks between the lines."""

    def end(self) -> None:
        """End it, from another thread, within a second."""

    def failure(self, last: Sequence[str]) -> str | None:
        """After its last line: what went wrong, in docker's words. `last` are the last lines of its output."""


def digest(parts: Mapping[str, Any]) -> str:
    """The key that names these parts."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
