"""The index of code archives: where each one is, what holds it, and when one that nothing holds is dropped.

References are kept by the scripts that write runs and versions of named jobs, in the same steps: a run that has not
ended and a version of a job hold their archive by name. So the broker knows at any time whether an archive is needed,
and a sweep looks at those that are due, never at the runs. Marking from the runs would read every spec for each sweep,
and would have to be told of each launch that is made meanwhile.

An archive that nothing holds stays until its time: a grace after somebody stored or asked for it, or the retention of
the last run that held it. Both only ever put it off.

No two uploads share a location, so what is being deleted is never what a producer has just stored. A location is loose
until its archive is entered, and again when the archive is dropped; what is loose beyond its time is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.frozen import Frozen
from broker_config.runs import now
from broker_config.store.keys import Keys

GRACE_SECONDS = 24 * 3600
"""How long an archive stays that was stored or asked for, and has no run yet: a plan may be launched the next day."""

UPLOAD_SECONDS = 24 * 3600
"""How long an upload may take."""

HELD_SECONDS = 3600
"""When an archive that is due and held is looked at again."""

RUBBISH = 0.0
"""The time of a location that nobody can make an archive's any more."""

PAGE = 100


class ArchiveRecord(Frozen):
    """A code archive as the store knows it."""

    digest: str
    location: str
    size_bytes: int
    stored_at: datetime
    holders: int  # runs that have not ended, and versions of named jobs
    kept_until: datetime  # longer while something holds it

    @property
    def place(self) -> str:
        """Where it is: `broker`, or the URL of another place."""
        return self.location.rpartition("/")[0]


class Archives:
    """Writes and reads the index."""

    def __init__(self, client: TextClient, keys: Keys, scripts: dict[str, Script]) -> None:
        self._client = client
        self._keys = keys
        self._find = scripts["archive_find"]
        self._enter = scripts["archive_enter"]
        self._drop = scripts["archive_drop"]

    def find(self, digest: str) -> str:
        """Where an archive is, for somebody who is about to enqueue a run of it; empty when it is not stored."""
        keys = [self._keys.archives, self._keys.archive(digest)]
        with translated():
            return str(self._find(keys=keys, args=[digest, GRACE_SECONDS]))

    def location(self, digest: str) -> str:
        """Where an archive is; empty when it is not stored."""
        with translated():
            return self._client.hget(self._keys.archive(digest), "location") or ""

    def begin(self, location: str) -> None:
        """Say that bytes are going to be stored there."""
        self._loosen(location, (time.time() + UPLOAD_SECONDS) * 1000)

    def give_up(self, location: str) -> None:
        """Say that what was stored there will be no archive's."""
        self._loosen(location, RUBBISH)

    def enter(self, digest: str, location: str, size_bytes: int, replaced: str) -> str:
        """Enter an archive whose bytes have been stored; `replaced` is its old location, where they are gone.

        Returns the location that counts: another one when another producer was first, and none when the upload took
        so long that it was swept away.
        """
        keys = [self._keys.archives, self._keys.archive(digest), self._keys.loose_locations]
        args: list[str | int] = [digest, GRACE_SECONDS, location, size_bytes, now().isoformat(), replaced]
        with translated():
            return str(self._enter(keys=keys, args=args))

    def due(self) -> list[str]:
        """A page of digests whose time has come; things may hold them still."""
        with translated():
            return self._client.zrangebyscore(self._keys.archives, "-inf", time.time() * 1000, start=0, num=PAGE)

    def drop(self, digest: str, *, only_due: bool) -> bool:
        """Forget an archive unless something holds it, or its time has not come. Returns whether it is forgotten."""
        keys = self._keys
        with translated():
            dropped = self._drop(
                keys=[keys.archives, keys.archive(digest), keys.archive_holders(digest), keys.loose_locations],
                args=[digest, "due" if only_due else "unheld", HELD_SECONDS],
            )
        return bool(dropped)

    def rubbish(self) -> list[str]:
        """Locations whose bytes nobody can need: an upload that is late is made one here."""
        loose = self._keys.loose_locations
        with translated():
            late = self._client.zrangebyscore(loose, "(0", time.time() * 1000, start=0, num=PAGE)
            if late:
                # XX: not one that was entered meanwhile.
                self._client.zadd(loose, dict.fromkeys(late, RUBBISH), xx=True)
            return self._client.zrangebyscore(loose, RUBBISH, RUBBISH, start=0, num=-1)

    def forget(self, location: str) -> None:
        """Forget rubbish that is deleted."""
        with translated():
            self._client.zrem(self._keys.loose_locations, location)

    def begin_sweep(self, seconds: int) -> bool:
        """Whether nobody else has begun one within so many seconds."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.set(self._keys.archive_sweep, "", nx=True, ex=seconds)
            (is_first,) = pipe.execute()
        return bool(is_first)

    def _records(self, digests: Sequence[str], dues: dict[str, float]) -> list[ArchiveRecord]:
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for digest in digests:
                pipe.hgetall(self._keys.archive(digest))
                pipe.scard(self._keys.archive_holders(digest))
            replies = pipe.execute()
        return [
            ArchiveRecord(
                digest=digest, holders=holders, kept_until=datetime.fromtimestamp(dues[digest] / 1000, UTC), **fields
            )
            for digest, fields, holders in zip(digests, replies[::2], replies[1::2], strict=True)
            if fields
        ]

    def _loosen(self, location: str, until: float) -> None:
        with translated(self._client):
            self._client.zadd(self._keys.loose_locations, {location: until})

    def list(self) -> Sequence[ArchiveRecord]:
        """All archives, by the time at which they may be dropped."""
        with translated():
            dues = dict(self._client.zscan_iter(self._keys.archives, match="*", count=1000))
        records = self._records(tuple(dues), dues)
        return sorted(records, key=lambda record: record.kept_until)
