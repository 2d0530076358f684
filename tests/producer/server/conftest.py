"""Fixtures of the server's tests: people with roles, and keys that they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from broker_config.accounts.people import NewApiKey
from broker_config.accounts.rights import Role
from broker_config.settings import Settings
from broker_config.store import Store
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving

As = Callable[..., Client]


def settle(store: Store) -> None:
    """Make a team of three, a program of theirs, an admin, and one who is nobody to them."""
    for name in ("root", "olga", "leo", "vera", "nemo"):
        store.accounts.add_user(name, is_admin=name == "root")
    store.accounts.add_team("default")
    store.accounts.add_team("team-a")
    for name, role in (("olga", Role.OWNER), ("leo", Role.LAUNCHER), ("vera", Role.VIEWER)):
        store.accounts.set_member("team-a", name, role)
    store.accounts.add_service_account("team-a", "nightly")


@pytest.fixture
def url(settings: Settings, store: Store) -> Iterator[str]:
    """Where the server is that knows those people."""
    settle(store)
    with serving(create_app(settings)) as url:
        yield url


def key_of(store: Store, principal: str, **limits: object) -> str:
    """A new key of somebody."""
    _, secret = store.accounts.add_key(NewApiKey.model_validate({"principal": principal, **limits}), "test")
    return str(secret)


@pytest.fixture
def as_(settings: Settings, store: Store, url: str) -> Iterator[As]:
    """A client that shows a new key of somebody."""
    with ExitStack() as stack:

        def client(name: str, **limits: object) -> Client:
            key = key_of(store, name, **limits)
            return stack.enter_context(Client(settings, server_url=url, api_key=key))

        yield client
