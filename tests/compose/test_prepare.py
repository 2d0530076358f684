"""What `compose/prepare.sh` makes: users that can do what the services do, on a server without containers."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.queues import Queue
from broker_config.settings import Settings, environment_for
from broker_config.states import State
from producer import Client, ImageSource
from tests.agents import eventually
from tests.compose.installation import COMPOSE
from tests.redis_server import redis_server

SERVICES = ("agent", "flower")
PASSWORDS = ("broker", "flower", "broker-agent", "broker-flower", "broker-producer")


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
