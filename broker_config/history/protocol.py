"""What a history does for agents, who write to it, and for producers and the server, who read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from broker_config.runs import Event, Run
from broker_config.store.logs import LogEntry
from broker_config.wanted import Wanted


class LogPart(NamedTuple):
    """Some batches of a run's log, compressed; see `broker_config.history.packed`."""

    last: str  # the position of its last batch, as `packed.padded` writes it
    data: bytes


class Kept(NamedTuple):
    """A finished run with all that the broker had of it."""

    run: Run  # with its spec, and so with the queue config as it was
    events: Sequence[tuple[str, Event]]  # with their positions, oldest first
    log: Sequence[LogPart]  # oldest first

    @property
    def log_bytes(self) -> int:
        """How much room its log takes."""
        return sum(len(part.data) for part in self.log)


class Amount(NamedTuple):
    """How much a history holds."""

    runs: int
    size_bytes: int
    oldest: datetime | None  # launch; None: there is no run
    newest: datetime | None


class History(Protocol):
    """Finished runs by their ids.

    1. `check` makes what is needed to write, and is called before the first write of a process.
    2. `write` returns when all of these runs are durable. After an error or a crash some may be there, or all, or none;
       the same runs may be written again, by anybody, and are there once all the same.
    3. Several processes write and read at once. What one has written, the next read of another one sees.
    4. `page` gives runs newest first, by `place` and then by id, behind a cursor as `store.runs.cursor_of` writes it.
    5. `events` and `log` of a run that is not there are empty. A call of `log` gives the next part behind a position.
    6. Errors are `TemporaryError` when another try may help, `NotFound` from `get`, and `ConfigError` for what somebody
       has to put right. No text of theirs, nor `url`, holds a password.
    """

    url: str

    patience_seconds: float
    """How long runs may wait on the broker until there are enough for one write; a database has no reason to."""

    def check(self) -> None: ...

    def write(self, runs: Sequence[Kept]) -> None: ...

    def get(self, run_id: str) -> Run: ...

    def ids(self, prefix: str, limit: int) -> list[str]:
        """Ids that begin like that, at most so many."""

    def page(self, wanted: Wanted, cursor: str, limit: int) -> list[Run]: ...

    def events(self, run_id: str) -> list[tuple[str, Event]]: ...

    def log(self, run_id: str, after: str) -> list[LogEntry]: ...

    def amount(self) -> Amount: ...
