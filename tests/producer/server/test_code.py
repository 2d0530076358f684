"""Code on its way through the server."""

from __future__ import annotations

import io

import pytest

from broker_config.errors import InvalidRequest, NotPermitted
from broker_config.store import Store
from tests.code import get, source_of
from tests.producer.server.conftest import As

ARCHIVE = bytes(range(256)) * 4000


class Unread(io.BytesIO):
    """A file that nobody is to read."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise AssertionError(f"{size} bytes are sent")


def test_code_is_sent_once_and_is_there_for_agents(as_: As, store: Store) -> None:
    # Given
    leo, source = as_("leo"), source_of(ARCHIVE)
    assert leo.code.put(io.BytesIO(ARCHIVE), source) == "broker"

    # When it is put again, by another one
    place = as_("team-a/nightly").code.put(Unread(ARCHIVE), source)

    # Then
    assert place == ""
    assert get(store.code, source.digest) == ARCHIVE


def test_what_was_damaged_on_its_way_is_refused(as_: As, store: Store) -> None:
    source = source_of(ARCHIVE)
    with pytest.raises(InvalidRequest, match=f"the address says {source.digest}"):
        as_("leo").code.put(io.BytesIO(ARCHIVE[:-1]), source)
    assert not store.code.is_stored(source.digest)


def test_which_code_there_is_is_for_admins_to_know(as_: As) -> None:
    with pytest.raises(NotPermitted, match="takes the role admin"):
        as_("olga").code.list()
    assert as_("root").code.list() == []
