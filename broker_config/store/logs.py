"""Log lines of runs in the store, in batches, each with the place at the target from which to go on reading."""

from __future__ import annotations

from typing import Any, NamedTuple

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.store import streams
from broker_config.store.keys import Keys

MAX_ENTRIES = 4000
"""Batches kept for a run; older ones are dropped. So a log takes up to 256 MB, and usually far less."""

BATCH_CHARACTERS = 64 * 1024
"""In one batch of a job's lines."""


class LogEntry(NamedTuple):
    """One batch of whole lines."""

    id: str  # position in the run's log
    stream: str  # "job" or "build"
    lines: list[str]
    before: int = 0  # how many lines the job had printed before

    @classmethod
    def of(cls, entry_id: str, fields: dict[str, str]) -> LogEntry:
        """As it is in the store."""
        return cls(entry_id, fields["stream"], fields["text"].split("\n"), int(fields.get("before", 0)))


class LogStore:
    """Append and read the logs of runs."""

    def __init__(self, client: TextClient, keys: Keys, script: Script) -> None:
        self._client = client
        self._keys = keys
        self._script = script

    def append(self, run_id: str, stream: str, lines: list[str], position: str = "") -> None:
        """Add a batch of lines; `position` is opaque, and comes back from `position()`."""
        with translated():
            self._client.xadd(
                self._keys.run_logs(run_id),
                {"stream": stream, "text": "\n".join(lines), "position": position},
                maxlen=MAX_ENTRIES,
                approximate=True,
            )

    def append_from(self, start: str, run_id: str, lines: list[str], position: str) -> str:
        """Add lines of the job that were read from `start` to `position`, unless the log is not at `start` any more.

        Returns the position of the log afterwards, from where to read on. So a call that is repeated because its reply
        was lost adds nothing, and neither does an agent whose run another one follows by now.
        """
        with translated():
            args: list[str | int] = [start, position, MAX_ENTRIES, *_batches(lines)]
            return str(self._script(keys=[self._keys.run_logs(run_id)], args=args))

    def position(self, run_id: str) -> str:
        """The position that came with the newest batch of the job's own log; empty when there is none."""
        with translated():
            for _, fields in self._client.xrevrange(self._keys.run_logs(run_id), count=10):
                if fields["stream"] == "job":
                    return str(fields["position"])
        return ""

    def newest(self, run_id: str, count: int) -> list[LogEntry]:
        """The newest batches, oldest first."""
        with translated():
            found = self._client.xrevrange(self._keys.run_logs(run_id), count=count)
        return [LogEntry.of(entry_id, fields) for entry_id, fields in reversed(found)]

    def read(self, run_id: str, after: str = "0-0", block_seconds: float | None = None) -> list[LogEntry]:
        """Batches after a position, oldest first; waits up to `block_seconds` for one."""
        with translated():
            reply: Any = self._client.xread(
                {self._keys.run_logs(run_id): after}, count=1000, block=streams.block(block_seconds)
            )
        return [LogEntry.of(entry_id, fields) for entry_id, fields in streams.entries(reply)]


def _batches(lines: list[str]) -> list[str]:
    batches: list[list[str]] = []
    room = 0
    for line in lines:
        if not batches or len(line) > room:
            batches.append([])
            room = BATCH_CHARACTERS
        batches[-1].append(line)
        room -= len(line)
    return ["\n".join(batch) for batch in batches]
