"""The index of code archives: where each one is, what holds it, and when one that nothing holds is dropped.

References are kept by the scripts that write runs and versions of named jobs, in the same steps: a run that has not
ended and a version of a job hold their archive by name. So the broker knows at any time whether an archive is needed,
and a sweep looks at those that are due, never at the runs. Marking from the runs would read every spec for each sweep,
and would have to be told of each launch that is made meanwhile.

An archive that nothing holds stays until its time: a grace after somebody stored or asked for it, or the retention of
the last run that held it. Both only ever put it off.

No two uploads share a location, so what is being deleted is never what a producer has just stored. A location is loose
until it is entered as an archive's, and again when the archive is dropped; what is loose beyond its time is deleted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

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

_SIZE, _TIME = "size_bytes", "stored_at"
"""The fields of an archive that are not places."""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Whoever may write to the broker may write any name there, and agents delete by name: none leads out of a place."""


class Location(NamedTuple):
    """Where bytes are: a place's URL, and a name there."""

    place: str
    name: str

    def __str__(self) -> str:
        return f"{self.place}/{self.name}"


class ArchiveRecord(Frozen):
    """A code archive as the store knows it."""

    digest: str
    places: tuple[str, ...]  # `broker`, or the URLs of other places
    size_bytes: int
    stored_at: datetime
    holders: int  # runs that have not ended, and versions of named jobs
    kept_until: datetime  # longer while something holds it


class Archives:
    """Writes and reads the index."""

    def __init__(self, client: TextClient, keys: Keys, scripts: dict[str, Script]) -> None:
        self._client = client
        self._keys = keys
        self._find = scripts["archive_find"]
        self._enter = scripts["archive_enter"]
        self._drop = scripts["archive_drop"]

    def find(self, digest: str) -> Sequence[Location]:
        """Where an archive is, for somebody who is about to enqueue a run of it; empty when it is not stored."""
        with translated():
            flat = self._find(keys=[self._keys.archives, self._keys.archive(digest)], args=[digest, GRACE_SECONDS])
        return _locations(zip(flat[::2], flat[1::2], strict=True))

    def locations(self, digest: str) -> Sequence[Location]:
        """Where an archive is; empty when it is not stored."""
        with translated():
            return _locations(self._client.hgetall(self._keys.archive(digest)).items())

    def begin(self, location: Location) -> None:
        """Say that bytes are going to be stored there."""
        with translated(self._client):
            self._client.zadd(self._keys.loose_locations, {str(location): (time.time() + UPLOAD_SECONDS) * 1000})

    def enter(self, digest: str, location: Location, size_bytes: int, lost: str = "") -> str:
        """Enter a location whose bytes have been stored; `lost` is the name there from before, whose bytes are gone.

        Returns the name that counts: another one when another producer was first, and none when the upload took so
        long that it was swept away.
        """
        keys = [self._keys.archives, self._keys.archive(digest), self._keys.loose_locations]
        args: list[str | int] = [digest, GRACE_SECONDS, *location, size_bytes, now().isoformat(), lost]
        with translated(self._client):
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

    def rubbish(self) -> list[Location]:
        """Locations whose bytes nobody can need: an upload that is late is made one here."""
        loose = self._keys.loose_locations
        with translated():
            late = self._client.zrangebyscore(loose, "(0", time.time() * 1000, start=0, num=PAGE)
            if late:
                # XX: not one that was entered meanwhile.
                self._client.zadd(loose, dict.fromkeys(late, RUBBISH), xx=True)
            found = self._client.zrangebyscore(loose, RUBBISH, RUBBISH, start=0, num=-1)
        return _locations(text.rpartition("/")[::2] for text in found)

    def forget(self, location: Location) -> None:
        """Forget rubbish that is deleted."""
        with translated():
            self._client.zrem(self._keys.loose_locations, str(location))

    def begin_sweep(self, seconds: int) -> bool:
        """Whether nobody else has begun one within so many seconds."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.set(self._keys.archive_sweep, "", nx=True, ex=seconds)
            (is_first,) = pipe.execute()
        return bool(is_first)

    def list(self) -> Sequence[ArchiveRecord]:
        """All archives, by the time at which they may be dropped."""
        with translated():
            dues = dict(self._client.zscan_iter(self._keys.archives, match="*", count=1000))
            with self._client.pipeline(transaction=False) as pipe:
                for digest in dues:
                    pipe.hgetall(self._keys.archive(digest))
                    pipe.scard(self._keys.archive_holders(digest))
                replies = pipe.execute()
        stored = zip(dues.items(), replies[::2], replies[1::2], strict=True)
        records = [_record(*due, fields, holders) for due, fields, holders in stored if fields]
        return sorted(records, key=lambda record: record.kept_until)


def _locations(fields: Iterable[tuple[str, str]]) -> list[Location]:
    return [Location(place, name) for place, name in fields if place not in (_SIZE, _TIME) and _NAME.fullmatch(name)]


def _record(digest: str, due: float, fields: Mapping[str, str], holders: int) -> ArchiveRecord:
    return ArchiveRecord(
        digest=digest,
        places=tuple(location.place for location in _locations(fields.items())),
        size_bytes=int(fields[_SIZE]),
        stored_at=datetime.fromisoformat(fields[_TIME]),
        holders=holders,
        kept_until=datetime.fromtimestamp(due / 1000, UTC),
    )
