"""Code archives, named by the digest of their bytes: each is stored once, and dropped when nothing needs it."""

from __future__ import annotations

import hashlib
import io
import logging
import secrets
from collections.abc import Sequence

from broker_config.errors import CodeNotStored, InvalidRequest, NotFound
from broker_config.jobs import CodeSource
from broker_config.places.protocol import Place
from broker_config.runs import now
from broker_config.store.archives import PAGE, ArchiveRecord, Archives

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60
"""How often the agents of an installation sweep, all together."""

UPLOADS = 3
"""How often an archive is uploaded anew because its upload was swept away before it was entered."""


class CodeStore:
    """Put, get and drop code archives. Safe to share between threads."""

    def __init__(self, archives: Archives, place: Place, max_bytes: int) -> None:
        self._archives = archives
        self._place = place
        self._max_bytes = max_bytes

    def put(self, archive: bytes) -> CodeSource:
        """Store an archive, once however often it is put, and keep it until there is time to enqueue a run of it.

        Raises:
            InvalidRequest: when it is larger than the store takes.
        """
        if len(archive) > self._max_bytes:
            raise InvalidRequest(
                f"the packed code is {len(archive):,} bytes, and {self._max_bytes:,} are allowed; name data and "
                "outputs in .launchyardignore, or launch from a git repository"
            )
        digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
        # Asked first: an archive that is there already need not travel. Somebody may have removed its bytes.
        location = self._archives.find(digest)
        if not (location and self._place.exists(_name(location))):
            self._upload(digest, archive, location)
        return CodeSource(digest=digest, size_bytes=len(archive))

    def _upload(self, digest: str, archive: bytes, replaced: str) -> None:
        for _ in range(UPLOADS):
            name = f"{digest.replace(':', '-')}-{secrets.token_hex(6)}"
            location = f"{self._place.url}/{name}"
            self._archives.begin(location)
            self._place.put(name, io.BytesIO(archive))
            if self._archives.enter(digest, location, len(archive), replaced):
                return
        raise CodeNotStored(digest)

    def get(self, digest: str) -> bytes:
        """The archive of that digest.

        Raises:
            CodeNotStored: when it is not stored, or its bytes are not those of the digest.
        """
        location = self._archives.location(digest)
        if not location:
            raise CodeNotStored(digest)
        try:
            with self._place.open(_name(location)) as file:
                archive = file.read()
        except NotFound as error:
            raise CodeNotStored(digest) from error
        if f"sha256:{hashlib.sha256(archive).hexdigest()}" != digest:
            raise CodeNotStored(digest)
        return archive

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
        mine = [one for one in self._archives.rubbish() if one.rpartition("/")[0] == self._place.url][:PAGE]
        for location in mine:
            self._place.delete(_name(location))
            self._archives.forget(location)
        return len(mine)

    def list(self) -> Sequence[ArchiveRecord]:
        """All archives, by the time at which they may be dropped."""
        return self._archives.list()


def _name(location: str) -> str:
    return location.rpartition("/")[2]
