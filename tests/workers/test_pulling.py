"""With what login images are pulled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker_config.oci.logins import Login, docker_config
from broker_config.states import FailureClass
from tests import clouds
from tests.contract.registries import ECR_HOST
from tests.moto_server import aws
from workers import pulling
from workers.config.blocks import parse_config
from workers.failures import RunFailed
from workers.pulling import Pulls
from workers.registries.gcr import USER as GOOGLE_USER
from workers.targets.contract.waiting import eventually


@pytest.fixture(autouse=True)
def logged_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `docker login` has left for the agent's user."""
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    logins = {"docker.io": Login("hub", "hub-secret"), "registry.example.com:5000": Login("agent", "secret")}
    (home / "config.json").write_text(json.dumps(docker_config(logins)))


def logins_of(config: Mapping[str, Any] | None = None) -> Pulls:
    return Pulls(parse_config(config or {}, None))


@pytest.mark.parametrize(
    ("image", "user"),
    [
        ("python:3.12-slim", "hub"),
        ("team/train@sha256:" + "a" * 64, "hub"),
        ("docker.io/team/train:v1", "hub"),
        ("registry.example.com:5000/team/train:v1", "agent"),
        ("registry.example.com/team/train:v1", None),
        ("localhost/train", None),
    ],
)
def test_a_registry_that_docker_is_logged_in_at_is_known_by_its_host(image: str, user: str | None) -> None:
    login = logins_of().login(image)
    assert (login.user if login else None) == user


def test_the_agents_own_registry_gives_the_login_for_all_that_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    with aws() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        logins = logins_of({"registry": {"uri": f"{ECR_HOST}/team/jobs"}})
        # When
        own = logins.login(f"{ECR_HOST}/team/jobs@sha256:" + "a" * 64)
        beside = logins.login(f"{ECR_HOST}/base/images:1")
        elsewhere = logins.login(f"{ECR_HOST.replace('eu-west-1', 'eu-north-1')}/team/jobs:1")
    # Then
    assert own is not None
    assert own.user == "AWS"
    assert beside == own
    assert elsewhere is None


def test_images_of_a_cloud_are_pulled_with_the_credentials_that_the_agent_has_for_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent in Google Cloud that pushes nowhere
    with clouds.tokens() as tokens:
        for name, value in clouds.google(tokens, home).items():
            monkeypatch.setenv(name, value)
        logins = logins_of({"environment": {"type": "gcp", "region": "europe-west1"}})
        # When
        impossible = logins.login("europe-west1-docker.pkg.dev/Project:1")
        login = logins.login("europe-west1-docker.pkg.dev/project/base/python:1")
        other_cloud = logins.login("name.azurecr.io/jobs:1")
    # Then
    assert login == Login(GOOGLE_USER, clouds.TOKEN)
    assert (other_cloud, impossible) == (None, None)


def test_many_pulls_at_once_are_one_question_and_later_ones_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(pulling, "LOGIN_SECONDS", 1.0)
    image = "europe-west1-docker.pkg.dev/project/base/python:1"
    with clouds.tokens() as tokens:
        for name, value in clouds.google(tokens, home).items():
            monkeypatch.setenv(name, value)
        logins = logins_of({"registry": {"uri": "europe-west1-docker.pkg.dev/project/team/jobs"}})
        # When
        given = [logins.login(image) for _ in range(3)]
        tokens.is_refusing = True
        # Then
        assert given == [Login(GOOGLE_USER, clouds.TOKEN)] * 3
        with pytest.raises(RunFailed, match="no login to pull"):
            eventually(lambda: logins.login(image) is None)


def test_a_registry_that_gives_no_login_ends_the_run_that_needs_it(home: Path) -> None:
    # Given
    (home / "config.json").write_text("{")
    # When
    with pytest.raises(RunFailed) as failed:
        logins_of().login("registry.example.com:5000/team/train:v1")
    # Then
    assert failed.value.failure is FailureClass.CONFIG
    assert "no login to pull registry.example.com:5000/team/train:v1: docker's config" in str(failed.value)
