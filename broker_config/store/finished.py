"""Finished runs leave the broker: by age and by count, and only through the history where there is one.

Without a history the keys of a run expire by themselves, and what is left of it is dropped here. With one, nothing
expires: a run stays until an agent has written it there and drops it, however long that takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from redis.commands.core import Script

from broker_config import results
from broker_config.connection import TextClient, translated
from broker_config.frozen import Frozen
from broker_config.runs import RunId, now
from broker_config.store.keys import Keys

FORGOTTEN_AT_ONCE = 1000
OF_ONE_STEP = 200
"""Runs that one script drops: it holds up everybody else meanwhile."""

LEASE_SECONDS = 120

NO_RECORD = 0
"""In the place of a version: what is left of a run whose record has gone may be dropped, and nothing else."""


class Retention(NamedTuple):
    """How long ended runs are kept, and how many of them at most; None: age alone counts."""

    seconds: int
    runs: int | None = None


class Keeping(Frozen):
    """How the history of an installation stands."""

    url: str = ""  # as its agents have it, without a password; empty while what there is is made to stay
    agent: str  # that wrote to it last, or tried to
    at: datetime  # when it was written to; before the first time, since when there is one
    failing_since: datetime | None = None  # None: the last write succeeded
    error: str = ""  # of the last write


class Finished:
    """What is done with finished runs. Any number of agents may do it at once."""

    def __init__(self, client: TextClient, keys: Keys, scripts: Mapping[str, Script], retention: Retention) -> None:
        self._client = client
        self._keys = keys
        self._forget = scripts["forget"]
        self._lease = scripts["lease"]
        self._retention = retention

    def due(self, limit: int = FORGOTTEN_AT_ONCE) -> list[RunId]:
        """Runs that ended so long ago, or before so many others, that they leave the broker; those first."""
        until = (time.time_ns() // 1000) - self._retention.seconds * 1_000_000
        with translated():
            ids = self._client.zrangebyscore(self._keys.ended, "-inf", until, start=0, num=limit)
            return [RunId(run_id) for run_id in ids or self._too_many(limit)]

    def overdue(self, seconds: float) -> int:
        """How many ended so much longer ago than they are kept."""
        until = (time.time_ns() // 1000) - int((self._retention.seconds + seconds) * 1_000_000)
        with translated():
            return len(self._client.zrangebyscore(self._keys.ended, "-inf", until, start=0, num=1_000_000))

    def _too_many(self, limit: int) -> list[str]:
        if self._retention.runs is None:
            return []
        extra = self._client.zcard(self._keys.ended) - self._retention.runs
        return self._client.zrange(self._keys.ended, 0, min(extra, limit) - 1) if extra > 0 else []

    def forget_due(self) -> int:
        """Drop what is due, where there is no history. Returns how many runs; at most `FORGOTTEN_AT_ONCE`."""
        if self.keeping():
            return 0
        return self.forget(dict.fromkeys(self.due()))

    def forget(self, versions: Mapping[RunId, int | None]) -> int:
        """Drop these runs if they have ended and have the record of that version; None: any. Returns how many."""
        ids, dropped = [*versions], 0
        for start in range(0, len(ids), OF_ONE_STEP):
            step = ids[start : start + OF_ONE_STEP]
            # Log lines that came after the run's end have no expiry of their own, so all keys are dropped.
            of_runs = [key for run_id in step for key in (*self._keys.of_run(run_id), results.key(run_id))]
            args = [part for run_id in step for part in (run_id, _text(versions[run_id]))]
            with translated():
                dropped += int(self._forget(keys=[self._keys.runs, self._keys.ended, *of_runs], args=args))
        return dropped

    def keeping(self) -> Keeping | None:
        """How the history stands; None: there is none."""
        with translated():
            fields = self._client.hgetall(self._keys.history)
        return Keeping.model_validate({name: value for name, value in fields.items() if value}) if fields else None

    def begin_keeping(self, url: str, agent: str) -> None:
        """Say that there is a history: from now on no run expires before it was written there."""
        known = self.keeping()
        if known and known.url == url:
            return
        with translated():
            self._client.hset(self._keys.history, mapping={"agent": agent, "at": now().isoformat()})
            ended = self._client.zrange(self._keys.ended, 0, -1)
        for page in _pages(ended):
            with translated(), self._client.pipeline(transaction=False) as pipe:
                for key in (key for run_id in page for key in self._keys.of_run(run_id)):
                    pipe.persist(key)
                pipe.execute()
        with translated():
            # Last: after a crash before this, the next agent does it all again.
            self._client.hset(self._keys.history, "url", url)

    def end_keeping(self) -> None:
        """Say that there is no history any more: finished runs are dropped again when their time has come."""
        with translated():
            self._client.unlink(self._keys.history)

    def take_keeping(self, agent: str) -> bool:
        """Whether this agent is the one that writes to the history now; for a while, so that a crash passes it on."""
        with translated():
            holder = self._lease(keys=[self._keys.history_lease], args=["take", agent, LEASE_SECONDS * 1000, ""])
        return str(holder) == agent

    def release_keeping(self, agent: str) -> None:
        """Let another one write."""
        with translated():
            self._lease(keys=[self._keys.history_lease], args=["release", agent, 0, ""])

    def has_kept(self, agent: str) -> None:
        """Say that the history was written to."""
        told = {"agent": agent, "at": now().isoformat(), "failing_since": "", "error": ""}
        with translated():
            self._client.hset(self._keys.history, mapping=told)

    def has_not_kept(self, agent: str, error: str) -> None:
        """Say why it could not be."""
        with translated():
            since = self._client.hget(self._keys.history, "failing_since") or now().isoformat()
            self._client.hset(
                self._keys.history, mapping={"agent": agent, "failing_since": since, "error": error[:1000]}
            )


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), FORGOTTEN_AT_ONCE):
        yield ids[start : start + FORGOTTEN_AT_ONCE]


def _text(version: int | None) -> str | int:
    return "" if version is None else version
