"""What is to be known of a container by whoever takes it up later, also when the container is gone.

The labels of a container cannot be changed, and a file would be known on one machine only. An empty volume beside it is
kept by the same engine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from docker.errors import NotFound

from workers.targets.docker.engine import Engine
from workers.targets.docker.render import MANAGED

_KIND = "launchyard.mark"


class Mark(StrEnum):
    """What a mark says of the container of its name."""

    CANCELLED = "cancelled"  # its end is wanted
    RELEASED = "released"  # it was removed, and must not be made again


class Marks:
    """The marks on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, name: str, mark: Mark) -> None:
        """Make a mark; one that is there stays."""
        with self._engine.answering():
            self._engine.api.create_volume(f"{name}.{mark}", labels={MANAGED: "true", _KIND: mark})

    def has(self, name: str, mark: Mark) -> bool:
        """Whether there is that mark."""
        with self._engine.answering():
            try:
                self._engine.api.inspect_volume(f"{name}.{mark}")
            except NotFound:
                return False
            return True

    def remove(self, name: str, mark: Mark) -> None:
        """Take a mark away, if it is there."""
        with self._engine.answering():
            try:
                self._engine.api.remove_volume(f"{name}.{mark}")
            except NotFound:
                return

    def names(self, mark: Mark, older_than_seconds: float) -> Sequence[str]:
        """The containers whose mark of that kind was made longer ago."""
        until = time.time() - older_than_seconds
        with self._engine.answering():
            found = self._engine.api.volumes(filters={"label": f"{_KIND}={mark}"})["Volumes"] or []
        return [
            volume["Name"].removesuffix(f".{mark}")
            for volume in found
            if datetime.fromisoformat(volume["CreatedAt"]).timestamp() <= until
        ]
