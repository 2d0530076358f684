"""What every place promises, in the words of `broker_config/places/protocol.py`."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.errors import ConfigError, NotFound
from broker_config.places import open_place
from broker_config.places.folder import FolderPlace
from broker_config.places.protocol import Place
from broker_config.places.remote import RemotePlace
from tests.contract.places import CAN_REFUSE, PLACES, Case

DATA = os.urandom(20 * 1024 * 1024)  # more than a part


@pytest.fixture(params=PLACES)
def case(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with PLACES[request.param](home, monkeypatch) as case:
        yield case


@pytest.fixture(params=CAN_REFUSE)
def refusing(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with PLACES[request.param](home, monkeypatch) as case:
        case.refuse()
        yield case


@pytest.fixture
def place(case: Case) -> Place:
    return open_place(case.url)


def read(place: Place, name: str, offset: int = 0) -> bytes:
    with place.open(name, offset) as file:
        return file.read()


@pytest.mark.parametrize("size", [0, 1, len(DATA)])
def test_bytes_come_back_as_they_went_in(place: Place, size: int) -> None:
    # When
    place.put("object", io.BytesIO(DATA[:size]))
    # Then
    assert place.exists("object")
    assert read(place, "object") == DATA[:size]


def test_reading_goes_on_from_any_byte(place: Place) -> None:
    # Given
    place.put("object", io.BytesIO(DATA))
    # Then
    assert read(place, "object", 17 * 1024 * 1024) == DATA[17 * 1024 * 1024 :]


def test_only_what_the_file_has_left_is_put(place: Place) -> None:
    # Given
    file = io.BytesIO(b"head and rest")
    file.seek(5)
    # When
    place.put("object", file)
    # Then
    assert read(place, "object") == b"and rest"


def test_what_is_not_there_is_not_found(place: Place) -> None:
    assert not place.exists("object")
    with pytest.raises(NotFound):
        read(place, "object")


def test_what_is_deleted_is_gone_and_may_be_deleted_again(place: Place) -> None:
    # Given
    place.put("object", io.BytesIO(b"data"))
    # When
    place.delete("object")
    place.delete("object")
    # Then
    assert not place.exists("object")


def test_what_is_there_can_be_listed(place: Place) -> None:
    # Given
    assert isinstance(place, FolderPlace | RemotePlace)
    before = place.names()
    # When
    for name in ("one", "two", "three"):
        place.put(name, io.BytesIO(b"data"))
    place.delete("two")
    # Then
    assert (before, sorted(place.names())) == ([], ["one", "three"])


def test_what_another_process_stores_and_deletes_is_seen_at_once(case: Case) -> None:
    # Given
    mine, other = open_place(case.url), open_place(case.url)
    seen = [mine.exists("object")]
    # When
    other.put("object", io.BytesIO(b"data"))
    seen.append(mine.exists("object"))
    other.delete("object")
    seen.append(mine.exists("object"))
    # Then
    assert seen == [False, True, False]


def test_an_upload_that_broke_off_can_be_made_again_under_its_name(place: Place) -> None:
    # Given a file that breaks in its middle
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 18 * 1024 * 1024:
                raise OSError("broken")
            return super().read(size)

    with pytest.raises(Exception, match="broken"):
        place.put("object", Broken(DATA))
    # When
    place.put("object", io.BytesIO(DATA))
    # Then
    assert read(place, "object") == DATA


def test_a_bucket_or_folder_that_is_not_there_is_told_with_its_url(case: Case) -> None:
    with pytest.raises(ConfigError, match=case.missing):
        open_place(case.missing).put("object", io.BytesIO(b"data"))


def test_a_refusal_is_told_as_what_somebody_has_to_put_right(refusing: Case) -> None:
    with pytest.raises(ConfigError, match=refusing.url):
        open_place(refusing.url).put("object", io.BytesIO(b"data"))
