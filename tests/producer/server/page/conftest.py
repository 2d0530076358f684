"""Fixtures of the page's tests: an installation with an admin, and a browser without scripts that has signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from broker_config.accounts.people import NewApiKey
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from producer import Client
from producer.server.app import create_app

OURS = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of a request that the page itself makes."""


@pytest.fixture
def yard(settings: Settings) -> Iterator[Client]:
    with Client(settings) as client:
        yield client


@pytest.fixture
def key(store: Store) -> str:
    """A key of an admin."""
    return key_of(store, "alice", is_admin=True)


def key_of(store: Store, name: str, *, is_admin: bool = False) -> str:
    """A key of a new user."""
    store.accounts.add_user(name, is_admin=is_admin)
    return str(store.accounts.add_key(NewApiKey(principal=name), "test")[1])


@pytest.fixture
def anybody(settings: Settings) -> Iterator[TestClient]:
    """A browser of somebody who has not signed in."""
    with TestClient(create_app(settings), headers=OURS) as browser:
        yield browser


@pytest.fixture
def browser(anybody: TestClient, key: str) -> TestClient:
    """A browser of an admin who has signed in."""
    anybody.post("/signin", data={"key": key})
    return anybody


@pytest.fixture
def gpu(yard: Client) -> str:
    """A queue with a template variable."""
    queue = Queue.model_validate(
        {
            "name": "gpu",
            "resource": "stub",
            "prioritization": True,
            "config": {"seconds": "{{gpus}}"},
            "template_variables": {"gpus": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1}},
        }
    )
    return yard.queues.create(queue).name
