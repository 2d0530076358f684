"""What every source promises, in the words of `workers/sources/protocol.py`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker_config.states import Reason
from broker_config.store import Store
from tests.contract.sources import CAN_TELL, SOURCES, Case
from workers.failures import RunFailed
from workers.sources.protocol import Fetched


@pytest.fixture(params=SOURCES)
def case(request: pytest.FixtureRequest, store: Store, home: Path) -> Iterator[Case]:
    with SOURCES[request.param](store, home) as case:
        yield case


@pytest.fixture(params=CAN_TELL)
def telling(request: pytest.FixtureRequest, store: Store, home: Path) -> Iterator[Case]:
    with SOURCES[request.param](store, home) as case:
        yield case


def fetch(case: Case, folder: Path) -> Fetched:
    folder.mkdir()
    return case.source.fetch(case.wanted, folder)


def test_it_brings_an_image_or_fills_the_folder_that_it_was_given(case: Case, home: Path) -> None:
    # When
    fetched = fetch(case, home / "code")
    # Then
    assert fetched.digest
    assert fetched.image == case.image
    assert fetched.folder == (None if case.image else home / "code")
    found = {str(path.relative_to(home / "code")) for path in (home / "code").rglob("*") if path.is_file()}
    assert found == {*case.files}
    for name, text in case.files.items():
        assert (home / "code" / name).read_text() == text


def test_the_same_content_has_the_same_digest_each_time(case: Case, home: Path) -> None:
    assert fetch(case, home / "first").digest == fetch(case, home / "second").digest


def test_several_threads_may_fetch_at_once(case: Case, home: Path) -> None:
    # When
    with ThreadPoolExecutor(4) as pool:
        fetched = [*pool.map(lambda number: fetch(case, home / f"code-{number}"), range(4))]
    # Then
    assert len({one.digest for one in fetched}) == 1


def test_what_does_not_exist_fails_the_run_at_once(telling: Case, home: Path) -> None:
    # Given
    folder = home / "code"
    folder.mkdir()
    # When
    with pytest.raises(RunFailed) as failed:
        telling.source.fetch(telling.gone, folder)
    # Then
    assert failed.value.reason is Reason.SOURCE_UNAVAILABLE
