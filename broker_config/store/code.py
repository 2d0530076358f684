"""Code archives in the store, named by the digest of their bytes."""

from __future__ import annotations

import hashlib

import redis

from broker_config.connection import translated
from broker_config.errors import InvalidRequest, NotFound
from broker_config.jobs import CodeSource
from broker_config.store.keys import Keys


class CodeStore:
    """Put and get code archives. The client must answer with bytes."""

    def __init__(self, client: redis.Redis, keys: Keys, max_bytes: int) -> None:
        self._client = client
        self._keys = keys
        self._max_bytes = max_bytes

    def put(self, archive: bytes) -> CodeSource:
        """Store an archive, once however often it is put.

        Raises:
            InvalidRequest: when it is larger than the store takes.
        """
        if len(archive) > self._max_bytes:
            raise InvalidRequest(
                f"the packed code is {len(archive):,} bytes, and {self._max_bytes:,} are allowed; name data and "
                "outputs in .launchyardignore, or launch from a git repository"
            )
        digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
        key = self._keys.code(digest)
        with translated(self._client):
            # Asked first: an archive that is there already need not travel.
            if not self._client.exists(key):
                self._client.set(key, archive, nx=True)
        return CodeSource(digest=digest, size_bytes=len(archive))

    def get(self, digest: str) -> bytes:
        """The archive of that digest.

        Raises:
            NotFound: when it is not stored, or its bytes are not those of the digest.
        """
        with translated():
            archive = self._client.get(self._keys.code(digest))
        if not isinstance(archive, bytes) or f"sha256:{hashlib.sha256(archive).hexdigest()}" != digest:
            raise NotFound(f"the code archive {digest} is not in the store; launch the run again from the code")
        return archive
