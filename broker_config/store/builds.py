"""Builds in the store: who makes what a key names, and how that goes on for the others who want it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.frozen import Frozen
from broker_config.states import FailureClass, Reason
from broker_config.store import streams
from broker_config.store.keys import Keys

KEPT_SECONDS = 3600
"""How long the log of a build is kept after its end, and how long a failure stands for those who wanted the same."""

MAX_ENTRIES = 4000
"""Batches of a build's log."""

AWAITS = "waiting for agent"
"""How the line begins, in the log of a run that waits for another's build, that says whose it is."""


@dataclass(frozen=True, slots=True)
class Want:
    """Somebody's wish that there be what a key names."""

    key: str  # with the place where it is wanted: an engine, a folder of a machine, a registry's repository
    id: str  # no other wish has it
    agent: str
    session: str  # token of the agent's session: a lease does not outlast it
    run: str
    since: int  # microseconds of the broker's clock


class Ended(StrEnum):
    """How a build ended."""

    BUILT = "built"
    FAILED = "failed"  # by the job's own fault
    LEFT = "left"  # cancelled, or for a passing reason: whoever wants it may try


class Failure(Frozen):
    """Why a build failed by the job's own fault."""

    failure: FailureClass
    reason: Reason
    text: str
    run: str  # for which it was tried


class Underway(NamedTuple):
    """Another's build."""

    agent: str
    run: str
    began: str  # where its log begins


class BuildNews(NamedTuple):
    """An entry of a build's log."""

    id: str
    lines: list[str]
    ended: Ended | None


class BuildStore:
    """Leases on keys, each with a fence, and the logs of builds."""

    def __init__(self, client: TextClient, keys: Keys, script: Script) -> None:
        self._client = client
        self._keys = keys
        self._script = script

    def clock(self) -> int:
        """The broker's time, in microseconds since 1970."""
        with translated():
            seconds, microseconds = self._client.time()
        return seconds * 1_000_000 + microseconds

    def take(self, want: Want, seconds: float) -> int | Underway | Failure:
        """Ask for the lease. Returns its fence, or who builds, or why what is wanted cannot be built.

        A failure is told to those who wanted the same before it happened.
        """
        answer, *rest = self._call("take", want, None, seconds, want.since)
        if answer == "yours":
            return int(rest[0])
        return Underway(*rest) if answer == "underway" else Failure.model_validate_json(rest[0])

    def keep(self, want: Want, fence: int, seconds: float) -> bool:
        """Prolong the lease. False: another one has it by now, and this build must end."""
        return bool(self._call("keep", want, fence, seconds))

    def tell(self, want: Want, fence: int, lines: list[str]) -> None:
        """Add to the build's log, if the lease is still the caller's."""
        self._call("tell", want, fence, 0, "\n".join(lines), MAX_ENTRIES)

    def end(self, want: Want, fence: int, ended: Ended, failure: Failure | None = None) -> bool:
        """Give the lease back, and say how the build ended. False: it was another one's by then; nothing is written."""
        return bool(self._call("end", want, fence, 0, ended, failure.model_dump_json() if failure else ""))

    def read(self, key: str, after: str, block_seconds: float) -> list[BuildNews]:
        """What builds of that key told after a position, oldest first; waits up to `block_seconds` for something."""
        block = streams.block(block_seconds)
        with translated():
            reply: Any = self._client.xread({self._keys.build_log(key): after}, count=1000, block=block)
        return [
            BuildNews(
                entry_id,
                fields["text"].split("\n") if fields["text"] else [],
                Ended(fields["end"]) if fields["end"] else None,
            )
            for entry_id, fields in streams.entries(reply)
        ]

    def _call(self, operation: str, want: Want, fence: int | None, seconds: float, *more: Any) -> Any:
        keys = [self._keys.build(want.key), self._keys.build_log(want.key)]
        who = [want.id, want.agent, want.session, want.run]
        arguments = [operation, "" if fence is None else fence, int(seconds * 1000), *who]
        with translated():
            return self._script(keys=keys, args=[*arguments, self._keys.agent_lease("%s"), KEPT_SECONDS, *more])
