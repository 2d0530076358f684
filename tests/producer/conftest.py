"""Fixtures of the producer's tests: a client, and an agent that a test drives by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config.accounts.rights import Principal
from broker_config.connection import connect
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from broker_config.store.audit import Asker
from broker_config.store.changes import Change
from producer import Client
from producer.server.app import create_app
from producer.server.identity import Identify, Identity
from producer.server.serving import serving


class HandAgent:
    """Carries out runs step by step, with the store alone: what a real agent writes, when the test says so."""

    name = "hand-agent"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fence = store.agents.new_fence()
        store.agents.take(self.name, "session", 600)

    def claim(self, run_id: str) -> Run:
        _, run = self._store.runs.claim(self._store.runs.get(run_id).spec, self.name, self._fence, "session")
        assert run is not None
        return run

    def move(self, run: Run, state: State, reason: Reason, text: str = "", **fields: object) -> Run:
        change = Change(state, reason, text, self.name, fields, fence=self._fence)
        return self._store.runs.change(run, change)

    def start(self, run_id: str) -> Run:
        return self.move(self.claim(run_id), State.RUNNING, Reason.RUNNING, "It runs.")

    def finish(self, run: Run, exit_code: int = 0) -> Run:
        text = f"It ended with exit code {exit_code}."
        if exit_code:
            return self.move(run, State.FAILED, Reason.EXITED, text, exit_code=exit_code, failure=FailureClass.USER)
        return self.move(run, State.SUCCEEDED, Reason.EXITED, text, exit_code=0)

    def print(self, run: Run, *lines: str) -> None:
        self._store.logs.append(run.id, "job", list(lines))


@pytest.fixture(params=["broker", "server"])
def client(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Client]:
    """A client over each transport."""
    if request.param == "broker":
        with Client(settings) as client:
            yield client
        return
    with serving(create_app(settings, known_as(settings.author))) as url, Client(settings, server_url=url) as client:
        yield client


def known_as(name: str) -> Identify:
    """Everybody who asks the server is that admin."""
    return lambda _: Identity(Principal(name, is_admin=True), Asker(name=name))


@pytest.fixture
def broker_client(settings: Settings) -> Iterator[Any]:
    """The broker as `redis-cli` sees it."""
    client = connect(settings)
    yield client
    client.close()


@pytest.fixture
def agent(store: Store) -> HandAgent:
    return HandAgent(store)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a script."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print('trained')\n")
    return folder


@pytest.fixture
def python() -> str:
    """The interpreter of these tests, for commands as real processes."""
    return sys.executable
