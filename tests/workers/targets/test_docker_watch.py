"""The event stream of the docker target: cut, closed and renewed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine_proxy import EngineProxy, engine_proxy
from tests.workers.targets.docker_lab import DockerLab
from workers.targets.contract.waiting import eventually
from workers.targets.docker import DockerTarget, events


@pytest.fixture
def lab(home: Path) -> Iterator[DockerLab]:
    lab = DockerLab(home)
    yield lab
    lab.close()


@pytest.fixture
def proxy(lab: DockerLab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineProxy]:
    with engine_proxy(home) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.address)
        yield proxy


@contextmanager
def told(home: Path) -> Iterator[list[str | None]]:
    """What a watching target tells."""
    target = DockerTarget(home)
    stop = threading.Event()
    changes: list[str | None] = []
    thread = threading.Thread(target=target.watch, args=(changes.append, stop))
    thread.start()
    try:
        yield changes
    finally:
        stop.set()
        thread.join(5.0)
        assert not thread.is_alive(), "watch went on after it was told to stop"


def test_after_a_cut_everything_is_looked_at_again_and_the_stream_goes_on(
    lab: DockerLab, home: Path, proxy: EngineProxy
) -> None:
    with told(home) as changes:
        eventually(lambda: None in changes)
        # When
        proxy.cut_connections()
        # Then
        eventually(lambda: changes.count(None) == 2)
        name = lab.python("print('hello')")
        lab.end_of(name)
        eventually(lambda: changes.count(name) >= 2)


def test_an_engine_that_comes_back_late_is_looked_at_again(lab: DockerLab, home: Path, proxy: EngineProxy) -> None:
    with told(home) as changes:
        eventually(lambda: None in changes)
        # Given
        proxy.cut()
        name = lab.python("print('while nobody could see it')")
        lab.end_of(name)
        assert changes.count(None) == 1
        # When
        proxy.open()
        # Then
        eventually(lambda: changes.count(None) == 2)


def test_a_connection_is_not_trusted_for_ever(
    lab: DockerLab, home: Path, proxy: EngineProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(events, "RENEWAL_SECONDS", 0.5)
    # When
    with told(home) as changes:
        # Then
        eventually(lambda: changes.count(None) >= 3)


def test_watching_ends_soon_after_it_was_told_to_though_nothing_happens(lab: DockerLab, home: Path) -> None:
    with told(home) as changes:
        eventually(lambda: changes)
        asked = time.monotonic()
    assert time.monotonic() - asked < 3.0
