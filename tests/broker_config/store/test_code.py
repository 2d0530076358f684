"""Code archives, named by the digest of their bytes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from broker_config.errors import InvalidRequest, NotFound
from broker_config.settings import Settings
from broker_config.store import Store
from tests.code import get, put

ARCHIVE = bytes(range(256)) * 10
DIGEST = f"sha256:{hashlib.sha256(ARCHIVE).hexdigest()}"


def test_an_archive_comes_back_as_it_went_in(store: Store) -> None:
    # When
    source = put(store.code, ARCHIVE)

    # Then
    assert (source.digest, source.size_bytes) == (DIGEST, len(ARCHIVE))
    assert get(store.code, source.digest) == ARCHIVE


def test_the_same_bytes_are_stored_once_and_sent_once(store: Store, client: Any) -> None:
    # Given
    put(store.code, ARCHIVE)
    sets = client.info("commandstats")["cmdstat_set"]["calls"]

    # When
    put(store.code, ARCHIVE)

    # Then
    assert client.info("commandstats")["cmdstat_set"]["calls"] == sets
    assert len(list(client.scan_iter("launchyard:code:*"))) == 1


def test_an_archive_is_stored_as_long_as_its_bytes_are_there(store: Store, client: Any) -> None:
    assert not store.code.is_stored(DIGEST)
    put(store.code, ARCHIVE)
    assert store.code.is_stored(DIGEST)
    client.delete(*client.scan_iter("launchyard:code:*"))
    assert not store.code.is_stored(DIGEST)


def test_an_archive_that_is_too_large_is_refused_with_the_cure(settings: Settings, client: Any) -> None:
    # Given
    store = Store(settings.model_copy(update={"max_code_bytes": 2000}))

    # Then
    with pytest.raises(InvalidRequest, match="the packed code is 2,560 bytes, and 2,000 are allowed; name data and"):
        put(store.code, ARCHIVE)
    assert list(client.scan_iter("launchyard:code:*")) == []
    store.close()


def test_an_archive_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="is not in the store; launch again from the code"):
        get(store.code, DIGEST)


def test_bytes_that_are_not_those_of_the_digest_are_not_handed_out(store: Store, client: Any) -> None:
    # Given
    put(store.code, ARCHIVE)
    (key,) = client.scan_iter("launchyard:code:*")
    client.set(key, "evil")

    # Then
    with pytest.raises(NotFound):
        get(store.code, DIGEST)
