"""Fixtures that every level shares: a home folder of its own and a real, empty broker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.queues import Queue, QueueRecord
from broker_config.settings import Settings
from broker_config.store import Store


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of our own, which pytest only finds in this file."""
    parser.addoption(
        "--rewrite-golden", action="store_true", help="write the golden requests anew, and compare nothing"
    )


# How long an example takes is the machine's affair.
hypothesis.settings.register_profile("launchyard", deadline=None)
hypothesis.settings.load_profile("launchyard")


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """One embedded broker for the tests of this process."""
    # Directly under the temporary folder: pytest's own are too deep for a unix socket's path.
    folder = Path(tempfile.mkdtemp(prefix="ly-"))
    embedded = EmbeddedBroker(folder)
    embedded.ensure_running()
    yield embedded
    embedded.stop()
    shutil.rmtree(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home folder with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="ly-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(broker: EmbeddedBroker, home: Path) -> Settings:
    """Settings of a fresh installation on an empty broker."""
    settings = Settings(home=home, broker_url=broker.url, author="tester")
    client = connect(settings)
    client.flushall()
    client.close()
    return settings


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """The store on that broker."""
    store = Store(settings)
    yield store
    store.close()


@pytest.fixture
def queue(store: Store) -> QueueRecord:
    """A prioritized queue on the stub target."""
    return store.queues.create(Queue(name="gpu-queue", resource="stub", prioritization=True))
