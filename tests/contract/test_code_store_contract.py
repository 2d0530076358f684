"""The store of code over each of its places: what happens when something fails in the middle."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import pytest

from broker_config.connection import connect
from broker_config.errors import CodeNotStored, ConfigError, TemporaryError
from broker_config.places import open_place
from broker_config.places.protocol import Place
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.archives import Location
from broker_config.store.code import CodeStore
from broker_config.store.code_places import BrokerPlace, CodePlaces
from broker_config.store.keys import Keys
from tests.code import get, put, source_of
from tests.contract.places import CAN_REFUSE, PLACES, Case

DATA = os.urandom(3 * 1024 * 1024)
SOURCE = source_of(DATA)
SMALL = b"on the broker"


@pytest.fixture(params=PLACES)
def case(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with PLACES[request.param](home, monkeypatch) as case:
        yield case


@pytest.fixture(params=CAN_REFUSE)
def refusing(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with PLACES[request.param](home, monkeypatch) as case:
        yield case


Open = Callable[[str | None], Store]


@pytest.fixture
def store_at(settings: Settings) -> Iterator[Open]:
    """The store as a process with that code store sees it."""
    made: list[Store] = []

    def make(url: str | None) -> Store:
        changed = {"code_store": url, "max_code_bytes": 1024 * 1024}
        made.append(Store(settings.model_copy(update=changed)))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def here(store_at: Open, case: Case) -> Store:
    return store_at(case.url)


def location_of(store: Store) -> Location:
    (location,) = store.archives.locations(SOURCE.digest)
    return location


def let_all_time_pass(client: Any) -> None:
    client.delete("launchyard:archives:sweep")
    for key in ("launchyard:archives", "launchyard:archives:loose"):
        for member in client.zrange(key, 0, -1):
            client.zadd(key, {member: 1}, xx=True)


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    with connect(settings) as client:
        yield client


def test_large_code_goes_to_the_place_and_small_code_to_the_broker(here: Store, case: Case) -> None:
    # When
    put(here.code, DATA)
    put(here.code, SMALL)

    # Then
    assert get(here.code, SOURCE.digest) == DATA
    assert get(here.code, source_of(SMALL).digest) == SMALL
    assert {record.digest: record.places for record in here.code.list()} == {
        SOURCE.digest: (case.url,),
        source_of(SMALL).digest: ("broker",),
    }


def test_the_same_code_is_sent_once(here: Store, case: Case) -> None:
    assert here.code.put(io.BytesIO(DATA), SOURCE) == case.url
    assert here.code.put(io.BytesIO(DATA), SOURCE) == ""


def test_of_an_upload_that_was_killed_nothing_is_seen_and_nothing_stays(here: Store, case: Case, client: Any) -> None:
    # Given a producer that died in the middle of it
    place, killed = open_place(case.url), Location(case.url, "killed")
    here.archives.begin(killed)
    place.put(killed.name, io.BytesIO(DATA[:100_000]))

    # When another one puts the same code, and time passes
    with pytest.raises(CodeNotStored):
        get(here.code, SOURCE.digest)
    put(here.code, DATA)
    here.archives.find(SOURCE.digest)
    client.zadd("launchyard:archives:loose", {str(killed): 1}, xx=True)
    here.code.sweep()

    # Then
    assert not place.exists(killed.name)
    assert get(here.code, SOURCE.digest) == DATA


def test_an_upload_whose_last_reply_was_lost_counts_once(here: Store, case: Case) -> None:
    # Given
    location = Location(case.url, "stored")
    here.archives.begin(location)
    open_place(case.url).put(location.name, io.BytesIO(DATA))

    # When its producer asks twice
    names = [here.archives.enter(SOURCE.digest, location, len(DATA)) for _ in range(2)]

    # Then
    assert names == ["stored", "stored"]
    assert get(here.code, SOURCE.digest) == DATA


def test_of_two_producers_at_once_the_first_counts_and_the_others_bytes_go(here: Store, case: Case) -> None:
    # Given
    place, first, second = open_place(case.url), Location(case.url, "first"), Location(case.url, "second")
    for location in (first, second):
        here.archives.begin(location)
        place.put(location.name, io.BytesIO(DATA))

    # When
    names = [here.archives.enter(SOURCE.digest, location, len(DATA)) for location in (first, second)]
    here.code.sweep()

    # Then
    assert names == ["first", "first"]
    assert (place.exists("first"), place.exists("second")) == (True, False)


@pytest.mark.parametrize("damaged", [DATA[:-1], b"", DATA[:-1] + b"\0" + b"more"], ids=["cut", "empty", "other"])
def test_damaged_bytes_are_never_handed_out_and_the_next_put_mends_them(
    here: Store, case: Case, damaged: bytes
) -> None:
    # Given
    put(here.code, DATA)
    open_place(case.url).put(location_of(here).name, io.BytesIO(damaged))

    # When
    with pytest.raises(CodeNotStored, match="launch again"):
        get(here.code, SOURCE.digest)
    put(here.code, DATA)

    # Then
    assert get(here.code, SOURCE.digest) == DATA


def test_bytes_that_somebody_deleted_are_put_again(here: Store, case: Case) -> None:
    # Given
    put(here.code, DATA)
    open_place(case.url).delete(location_of(here).name)

    # When
    with pytest.raises(CodeNotStored):
        get(here.code, SOURCE.digest)
    put(here.code, DATA)

    # Then
    assert get(here.code, SOURCE.digest) == DATA


def test_what_nothing_needs_goes_from_the_place_too(here: Store, case: Case, client: Any) -> None:
    # Given
    put(here.code, DATA)
    name = location_of(here).name

    # When
    let_all_time_pass(client)
    here.code.sweep()

    # Then
    assert not open_place(case.url).exists(name)
    assert client.zcard("launchyard:archives:loose") == 0
    assert here.code.list() == []


def test_an_agent_without_the_place_says_what_is_different(here: Store, store_at: Open, case: Case) -> None:
    # Given
    put(here.code, DATA)

    # Then
    for url, words in ((None, "is not set here"), ("file:///mnt/other", "is file:///mnt/other here")):
        with pytest.raises(ConfigError, match=f"the code is in {case.url}, and LAUNCHYARD_CODE_STORE {words}"):
            get(store_at(url).code, SOURCE.digest)


@pytest.mark.parametrize("name", ["../precious", "..", "sub/../../precious", "/precious"])
def test_a_forged_name_leads_no_agent_out_of_its_place(store_at: Open, client: Any, tmp_path: Path, name: str) -> None:
    # Given a place, a file beside it, and somebody who writes to the broker by hand
    (tmp_path / "code").mkdir()
    (tmp_path / "precious").write_text("not yours")
    url = f"file://{tmp_path}/code"
    store = store_at(url)
    client.hset(f"launchyard:archive:{SOURCE.digest}", mapping={url: name, "size_bytes": 1, "stored_at": "2026-01-01"})
    client.zadd("launchyard:archives:loose", {f"{url}/{name}": 0})

    # When
    with pytest.raises(CodeNotStored):
        get(store.code, SOURCE.digest)
    store.code.sweep()

    # Then
    assert (tmp_path / "precious").read_text() == "not yours"


def test_after_a_move_to_another_place_both_places_are_used(
    here: Store, store_at: Open, case: Case, tmp_path: Path
) -> None:
    # Given code in the old place
    put(here.code, DATA)
    moved = store_at(f"file://{tmp_path}/new")

    # When a producer with the new setting puts it
    put(moved.code, DATA)

    # Then agents of either setting have it
    assert get(here.code, SOURCE.digest) == DATA
    assert get(moved.code, SOURCE.digest) == DATA
    (record,) = here.code.list()
    assert set(record.places) == {case.url, f"file://{tmp_path}/new"}


def test_a_refused_producer_is_told_at_once_and_writes_nothing(refusing: Case, store_at: Open) -> None:
    # Given
    store = store_at(refusing.url)
    refusing.refuse()

    # Then
    with pytest.raises(ConfigError, match=refusing.url):
        put(store.code, DATA)
    assert store.code.list() == []


class Flaky:
    """A place whose connections break: uploads at first, and each download after so many bytes."""

    url = "broker"

    def __init__(self, place: Place, broken_uploads: int, bytes_a_connection: int) -> None:
        self._place = place
        self._broken_uploads = broken_uploads
        self._bytes = bytes_a_connection
        self.offsets: list[int] = []

    def put(self, name: str, file: IO[bytes]) -> None:
        self._place.put(name, file)
        if self._broken_uploads:
            self._broken_uploads -= 1
            raise TemporaryError("the reply was lost")

    @contextmanager
    def open(self, name: str, offset: int = 0) -> Iterator[BinaryIO]:
        self.offsets.append(offset)
        with self._place.open(name, offset) as file:
            yield Breaking(file.read(), self._bytes)

    def exists(self, name: str) -> bool:
        return self._place.exists(name)

    def delete(self, name: str) -> None:
        self._place.delete(name)


class Breaking(io.BytesIO):
    """A stream that breaks after so many bytes, and not before its end."""

    def __init__(self, data: bytes, limit: int) -> None:
        super().__init__(data)
        self._limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._limit:
            raise TemporaryError("the connection broke")
        return super().read(self._limit - self.tell() if size is None else min(size, self._limit - self.tell()))


@pytest.fixture
def broker_place(settings: Settings) -> BrokerPlace:
    return BrokerPlace(connect(settings, text=False), Keys(settings.key_prefix))


def test_a_broken_upload_is_made_again(store: Store, settings: Settings, broker_place: BrokerPlace) -> None:
    # Given
    code = CodeStore(store.archives, CodePlaces(Flaky(broker_place, 2, len(DATA) + 1), settings))
    # When
    put(code, DATA)
    # Then
    assert get(code, SOURCE.digest) == DATA


def test_a_download_goes_on_where_it_broke(store: Store, settings: Settings, broker_place: BrokerPlace) -> None:
    # Given connections that break after 256 KiB: more of them than there is patience with one that brings nothing
    put(store.code, DATA)
    flaky = Flaky(broker_place, 0, 256 * 1024)
    # When
    data = get(CodeStore(store.archives, CodePlaces(flaky, settings)), SOURCE.digest)
    # Then
    assert data == DATA
    assert flaky.offsets == list(range(0, len(DATA) + 1, 256 * 1024))


def test_a_place_that_fails_again_and_again_is_temporary(
    store: Store, settings: Settings, broker_place: BrokerPlace
) -> None:
    code = CodeStore(store.archives, CodePlaces(Flaky(broker_place, 99, 0), settings))
    with pytest.raises(TemporaryError, match="the reply was lost"):
        put(code, DATA)
    assert store.code.list() == []
