"""The broker as a place: for small archives, without any further service."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import BinaryIO

import redis

from broker_config.connection import translated
from broker_config.errors import NotFound
from broker_config.store.keys import Keys


class BrokerPlace:
    """Each object is one value, so it goes through memory whole. The client must answer with bytes."""

    url = "broker"

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def put(self, name: str, file: BinaryIO) -> None:
        with translated(self._client):
            self._client.set(self._keys.code(name), file.read())

    def open(self, name: str, offset: int = 0) -> AbstractContextManager[BinaryIO]:
        with translated():
            stored = self._client.get(self._keys.code(name))
        if not isinstance(stored, bytes):
            raise NotFound(f"the broker has no object {name!r}")
        return io.BytesIO(stored[offset:])

    def exists(self, name: str) -> bool:
        with translated():
            return bool(self._client.exists(self._keys.code(name)))

    def delete(self, name: str) -> None:
        with translated():
            self._client.unlink(self._keys.code(name))
