"""Fixtures of the agent's tests."""

from __future__ import annotations

import pytest

from broker_config.queues import QueueRecord
from broker_config.store import Store
from tests.broker_config.conftest import Hand


@pytest.fixture
def hand(store: Store, queue: QueueRecord) -> Hand:
    """An agent session that a test drives by hand."""
    return Hand(store, queue)
