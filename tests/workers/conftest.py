"""Fixtures of the agent's tests."""

from __future__ import annotations

import pytest

from broker_config.queues import QueueRecord
from broker_config.store import Store
from tests.broker_config.conftest import Hand
from workers.building.builds import Builds
from workers.session import Session


@pytest.fixture
def hand(store: Store, queue: QueueRecord) -> Hand:
    """An agent session that a test drives by hand."""
    return Hand(store, queue)


@pytest.fixture
def builds(store: Store) -> Builds:
    """The builds of an agent whose session is open."""
    session = Session(store.agents, "builder@test", 30)
    session.open()
    return Builds(store, session, 30)
