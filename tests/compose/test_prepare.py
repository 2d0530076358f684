"""What `compose/prepare.sh` makes: users that can do what the services do, on a server without containers."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from broker_config.accounts.people import NewApiKey
from broker_config.queues import Queue
from broker_config.settings import Settings, environment_for
from broker_config.states import State
from broker_config.store import Store
from producer import Client, ImageSource
from producer.cli.page import sign_in_link
from producer.server.app import create_app
from producer.server.serving import serving
from tests.agents import eventually
from tests.compose.installation import COMPOSE
from tests.redis_server import redis_server

SERVICES = ("agent", "flower", "server")
PASSWORDS = ("broker", "flower", "broker-agent", "broker-flower", "broker-producer", "broker-server")


def prepared(folder: Path) -> dict[str, str]:
    environment = {**os.environ, "LAUNCHYARD_SECRETS": str(folder)}
    subprocess.run([COMPOSE / "prepare.sh"], env=environment, check=True, timeout=30, capture_output=True)
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    return prepared(tmp_path / "secrets")


@pytest.fixture
def port(home: Path, secrets: dict[str, str]) -> Iterator[int]:
    """A server with these users."""
    (home / "users.acl").write_text(secrets["users.acl"])
    with redis_server(home, aclfile=str(home / "users.acl")) as port:
        yield port


def settings_of(user: str, password: str, port: int, home: Path) -> Settings:
    return Settings(home=home, broker_url=f"redis://{user}:{password.strip()}@127.0.0.1:{port}/0", author="tester")


def test_passwords_that_are_there_are_kept(tmp_path: Path) -> None:
    # When
    first, second = prepared(tmp_path / "secrets"), prepared(tmp_path / "secrets")

    # Then
    assert first == second
    assert {f"{name}-password" for name in PASSWORDS} < first.keys()
    assert len({first[f"{name}-password"] for name in PASSWORDS}) == len(PASSWORDS)
    assert not any(first[f"{name}-password"].strip() in first["users.acl"] for name in PASSWORDS)


def test_each_service_has_the_url_of_its_own_user(secrets: dict[str, str]) -> None:
    for service in SERVICES:
        url = tomllib.loads(secrets[f"{service}.toml"])["broker_url"]
        assert url == f"redis://{service}:{secrets[f'broker-{service}-password'].strip()}@broker:6379/0"


def test_the_agent_of_the_container_and_its_health_check_need_no_more_than_its_user_may(
    secrets: dict[str, str], port: int, home: Path
) -> None:
    # Given
    operator = settings_of("launchyard", secrets["broker-password"], port, home)
    producer = settings_of("producer", secrets["broker-producer-password"], port, home)
    environment = environment_for(settings_of("agent", secrets["broker-agent-password"], port, home))
    command = [sys.executable, "-m", "producer.cli", "agent", "-q", "process-queue"]

    def is_well() -> bool:
        health = [sys.executable, str(COMPOSE / "agent_health.py")]
        return subprocess.run(health, env=environment, check=False, capture_output=True).returncode == 0

    with Client(operator) as client:
        client.queues.create(Queue(name="process-queue", resource="stub"))

    # When
    with (home / "agent.log").open("wb") as log, Client(producer) as client:
        agent = subprocess.Popen(command, env=environment, cwd=COMPOSE.parent, stdout=log, stderr=log)
        try:
            run = client.launch(queue="process-queue", source=ImageSource(image="image:1")).wait(60)
            eventually(is_well, "the agent is well")
        finally:
            agent.terminate()
            agent.wait(30)

    # Then
    assert run.state is State.SUCCEEDED, run.run.text


def test_the_server_of_the_container_needs_no_more_than_its_user_may(
    secrets: dict[str, str], port: int, home: Path
) -> None:
    # Given the server, as its user on the broker
    mine = settings_of("server", secrets["broker-server-password"], port, home)
    store = Store(mine)
    with closing(store), serving(create_app(mine)) as url, httpx2.Client(base_url=url, timeout=30) as browser:
        assert browser.get("/healthz").json() == {"status": "ok"}

        # When somebody signs in by a link, and goes through its pages
        link = sign_in_link(store, url, "alice")
        browser.post("/signin", data={"link": link.partition("=")[2]}, headers={"Sec-Fetch-Site": "same-origin"})
        key = store.accounts.add_key(NewApiKey(principal="alice"), "test")[1]
        with Client(mine, server_url=url, api_key=str(key)) as client:
            client.queues.create(Queue(name="gpu", resource="stub", prioritization=True))
            run = client.launch(queue="gpu", source=ImageSource(image="image:1"), priority="high")
            pages = ["/", "/queues", "/queues/default/gpu", "/queues/default/gpu/edit", "/runs", f"/runs/{run.id}"]
            answers = {path: browser.get(path).status_code for path in [*pages, "/agents", "/images"]}

            # Then each is answered, and a run is launched, prioritized and cancelled
            assert set(answers.values()) == {200}, answers
            assert run.set_priority("low").run.priority.label == "low"
            assert run.cancel().state is State.CANCELLED
            assert [deed.action for _, deed in client.accounts.audit()][-1:] == ["queue.create"]
