"""What is to be known of a job by whoever takes its run up later, also when the job is gone.

The labels of a job cannot be changed, so it is a secret without a value beside it, whose name is given away once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from workers.targets.vertex.handles import Handle
from workers.targets.vertex.labels import PREFIX
from workers.targets.vertex.secret_manager import SecretManager

_MARK = f"{PREFIX}mark"
_HANDLE = f"{PREFIX}handle"

KEPT = timedelta(days=7)
"""Then Secret Manager removes a mark by itself, where no agent is left that would."""


class Mark(StrEnum):
    """What a mark says of the job of its name."""

    CANCELLED = "cancelled"  # its end is wanted
    RELEASED = "released"  # it was removed, and must not be made again


class Marks:
    """The marks at one place."""

    def __init__(self, secrets: SecretManager) -> None:
        self._secrets = secrets

    def put(self, handle: Handle, mark: Mark) -> None:
        """Make a mark; one that is there stays."""
        self._secrets.create(
            _name(handle, mark),
            labels={_MARK: str(mark)},
            annotations={_HANDLE: str(handle)},
            ttl=f"{KEPT.total_seconds():.0f}s",
        )

    def has(self, handle: Handle, mark: Mark) -> bool:
        """Whether there is that mark."""
        return self._secrets.has(_name(handle, mark))

    def remove(self, handle: Handle, mark: Mark) -> None:
        """Take a mark away, if it is there."""
        self._secrets.remove(_name(handle, mark))

    def handles(self, mark: Mark, older_than_seconds: float) -> Iterator[str]:
        """The jobs whose mark of that kind was made longer ago; also those of other locations of the project."""
        until = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        for one in self._secrets.listed(f"labels.{_MARK}={mark}"):
            if datetime.fromisoformat(one["createTime"]) <= until:
                yield str(one["annotations"][_HANDLE])


def _name(handle: Handle, mark: Mark) -> str:
    return f"{handle.run}-{mark}"
