"""Where the code archives of an installation are: small ones on the broker, larger ones where the settings say."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from functools import cached_property
from typing import BinaryIO

import redis

from broker_config import places
from broker_config.connection import translated
from broker_config.errors import ConfigError, InvalidRequest, NotFound
from broker_config.places.protocol import Place, Readable
from broker_config.settings import Settings
from broker_config.store.archives import Location
from broker_config.store.keys import Keys


class BrokerPlace:
    """The broker as a place. Each object is one value, so it goes through memory whole."""

    url = "broker"

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        """The client must answer with bytes."""
        self._client = client
        self._keys = keys

    def put(self, name: str, file: Readable) -> None:
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


class CodePlaces:
    """The places of one process. What the larger one needs is imported when an archive is there or goes there."""

    def __init__(self, broker: Place, settings: Settings) -> None:
        self._broker = broker
        self._settings = settings

    @cached_property
    def _large(self) -> Place:
        return places.open_place(self._settings.code_store or "")

    def for_size(self, size_bytes: int) -> Place:
        """Where an archive of that size goes.

        Raises:
            InvalidRequest: when it is larger than any place takes.
            ConfigError: when its place cannot be used by this process.
        """
        if size_bytes <= self._settings.max_code_bytes:
            return self._broker
        if size_bytes > self._settings.largest_code_bytes:
            raise InvalidRequest(
                f"the packed code is {size_bytes:,} bytes, and {self._settings.largest_code_bytes:,} are allowed; name "
                "data and outputs in .launchyardignore, or launch from a git repository"
            )
        return self._large

    def has(self, url: str) -> bool:
        """Whether a place is one of this process's."""
        return url in (self._broker.url, self._settings.code_store)

    def of(self, location: Location) -> Place:
        """The place of a location.

        Raises:
            ConfigError: when it is not one of this process's, or cannot be used by it.
        """
        if location.place == self._broker.url:
            return self._broker
        if location.place == self._settings.code_store:
            return self._large
        # A location is never followed blindly: whoever may write to the broker may name any URL.
        here = f"is {self._settings.code_store}" if self._settings.code_store else "is not set"
        raise ConfigError(
            f"the code is in {location.place}, and LAUNCHYARD_CODE_STORE {here} here; it has "
            "to be the same for producers and agents"
        )
