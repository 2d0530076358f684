"""Code archives, named by the digest of their bytes: each is stored once, and dropped when nothing needs it.

Small ones are on the broker, larger ones in the place that the settings name. Bytes are streamed there and back, and
what is read is checked against the digest.
"""

from __future__ import annotations

import hashlib
import logging
import random
import secrets
import time
from collections.abc import Callable, Sequence
from typing import IO, Protocol, TypeVar

from broker_config.errors import CodeNotStored, NotFound, TemporaryError
from broker_config.jobs import CodeSource
from broker_config.places.protocol import Place, Readable
from broker_config.runs import now
from broker_config.store.archives import PAGE, ArchiveRecord, Archives, Location
from broker_config.store.code_places import CodePlaces

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60
"""How often the agents of an installation sweep, all together."""

ATTEMPTS = 4
FIRST_DELAY_SECONDS = 0.5
"""Before the second attempt; each later delay is twice as long."""

_CHUNK_BYTES = 1024 * 1024

T = TypeVar("T")


class Rewindable(Readable, Protocol):
    """A file that can be read again from its beginning, for another try."""

    def seek(self, offset: int, /) -> int: ...


class CodeStore:
    """Put, get and drop code archives. Safe to share between threads."""

    def __init__(self, archives: Archives, places: CodePlaces) -> None:
        self._archives = archives
        self._places = places

    def put(self, file: Rewindable, source: CodeSource) -> str:
        """Store the archive in a file, once however often it is put, and keep it until there is time to enqueue a run.

        Returns the URL of the place that it went to; empty when it was stored already.

        Raises:
            InvalidRequest: when it is larger than the store takes.
            ConfigError: when its place cannot be used by this process.
            TemporaryError: when the place or the broker fails again and again.
        """
        place = self._places.for_size(source.size_bytes)
        # Asked first: an archive that is there already need not travel.
        known = self._reachable(source.digest)
        if any(map(self._has_bytes, known)):
            return ""
        lost = next((location.name for location in known if location.place == place.url), "")
        for _ in range(ATTEMPTS):
            if self._upload(file, source, place, lost):
                return place.url
        raise TemporaryError(f"the code could not be stored in {place.url} in time; try again")

    def is_stored(self, digest: str) -> bool:
        """Whether an archive is stored, and within reach; then it stays until there is time to enqueue a run.

        Raises:
            ConfigError, TemporaryError: as for `put`.
        """
        return any(map(self._has_bytes, self._reachable(digest)))

    def _reachable(self, digest: str) -> list[Location]:
        """Where an archive is that somebody is about to use. The bytes may have been removed from there."""
        return [location for location in self._archives.find(digest) if self._places.has(location.place)]

    def _has_bytes(self, location: Location) -> bool:
        place = self._places.of(location)
        return _patiently(lambda: place.exists(location.name))

    def _upload(self, file: Rewindable, source: CodeSource, place: Place, lost: str) -> bool:
        """Whether the archive is entered; not when the upload took so long that it was swept away."""
        location = Location(place.url, f"{source.digest.replace(':', '-')}-{secrets.token_hex(6)}")
        self._archives.begin(location)

        def send() -> None:
            file.seek(0)
            place.put(location.name, file)

        _patiently(send)
        return bool(self._archives.enter(source.digest, location, source.size_bytes, lost))

    def get(self, digest: str, file: IO[bytes]) -> None:
        """Write the archive of that digest into an empty file, after a broken connection from where it broke.

        Raises:
            CodeNotStored: when it is not stored, or its bytes are not those of the digest.
            ConfigError: when it is in a place that is not this process's, or cannot be used by it.
            TemporaryError: when the place or the broker fails again and again.
        """
        locations = self._archives.locations(digest)
        if not locations:
            raise CodeNotStored(digest)
        location = next((one for one in locations if self._places.has(one.place)), locations[0])
        place = self._places.of(location)
        try:
            # Twice: it may have been damaged on its way.
            if digest in (_download(place, location.name, file) for _ in range(2)):
                return
        except NotFound as error:
            raise CodeNotStored(digest) from error
        logger.warning("code-damaged location=%s: it is removed, so that the next launch stores it anew", location)
        place.delete(location.name)
        raise CodeNotStored(digest)

    def sweep(self) -> None:
        """Drop what nothing needs any more, a bounded part of it; for an agent, to be called again and again."""
        if not self._archives.begin_sweep(SWEEP_SECONDS):
            return
        dropped = [digest for digest in self._archives.due() if self._archives.drop(digest, only_due=True)]
        deleted = self._delete_rubbish()
        if dropped or deleted:
            logger.info("code-swept archives=%d objects=%d", len(dropped), deleted)

    def unneeded(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        """What nothing needs any more; with `also_finished`, what only ended runs would need too."""
        return [
            record
            for record in self._archives.list()
            if not record.holders and (also_finished or record.kept_until <= now())
        ]

    def prune(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        """Drop that, now. Returns what is dropped."""
        unneeded = self.unneeded(also_finished=also_finished)
        dropped = [one for one in unneeded if self._archives.drop(one.digest, only_due=not also_finished)]
        while self._delete_rubbish() == PAGE:
            pass
        return dropped

    def _delete_rubbish(self) -> int:
        """Delete up to a page of locations that nobody can need. Returns how many."""
        mine = [location for location in self._archives.rubbish() if self._places.has(location.place)][:PAGE]
        for location in mine:
            self._places.of(location).delete(location.name)
            self._archives.forget(location)
        return len(mine)

    def list(self) -> Sequence[ArchiveRecord]:
        """All archives, by the time at which they may be dropped."""
        return self._archives.list()


def _download(place: Place, name: str, file: IO[bytes]) -> str:
    """Write an object into a file, and return its digest. Only connections that bring nothing wear out the patience."""
    file.seek(0)
    file.truncate()
    found = hashlib.sha256()

    def read_on() -> bool:
        """Whether that was all of it."""
        before = file.tell()
        try:
            with place.open(name, before) as stored:
                while chunk := stored.read(_CHUNK_BYTES):
                    file.write(chunk)
                    found.update(chunk)
        except TemporaryError:
            if file.tell() == before:
                raise
            return False
        return True

    while not _patiently(read_on):
        pass
    return f"sha256:{found.hexdigest()}"


def _patiently(call: Callable[[], T]) -> T:
    """Call again after a temporary error, with growing delays."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return call()
        except TemporaryError:
            time.sleep(FIRST_DELAY_SECONDS * 2**attempt * random.uniform(0.5, 1.0))
    return call()
