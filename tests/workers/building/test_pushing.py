"""Builds whose images go to a registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from broker_config.oci.logins import Login
from broker_config.states import FailureClass
from tests.contract.builders import order_of
from tests.oci_registry import registry
from workers.builders.protocol import Artifact, BuildOrder, Push
from workers.builders.stub import StubBuilder
from workers.building.pushing import PushingBuilder
from workers.config import AgentConfig
from workers.config.builder import OtherBuilderConfig
from workers.config.images import RegistryKind
from workers.config.registry import RegistryConfig
from workers.failures import RunFailed
from workers.registries.oci import OciRegistry
from workers.registries.stub import StubRegistry

CONFIG = RegistryConfig(type=RegistryKind.OCI, uri="registry.example.com/team/jobs")
DIGEST = "sha256:" + "d" * 64


class Recording(StubBuilder):
    """Pushes into a registry in memory, and keeps what it was told."""

    def __init__(self, home: Path, images: dict[str, str]) -> None:
        super().__init__(home, OtherBuilderConfig(type="stub"))
        self.images = images
        self.pushes_seen: list[Push | None] = []
        self.logins_seen: list[Login | None] = []

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        self.pushes_seen.append(order.push)
        if order.push:
            self.images[order.push.reference.rpartition(":")[2]] = DIGEST
            self.logins_seen += [order.push.login(), order.push.login()]
        return super().build(order, key, log, cancelled)


class WithLogin(StubRegistry):
    """Wants a login, and gives another token each time."""

    given = 0

    def login(self) -> Login | None:
        self.given += 1
        return Login("agent", f"secret-{self.given}")


def test_what_one_agent_pushed_another_one_finds_by_its_digest(home: Path) -> None:
    # Given two agents, one registry, and content whose key is a hash
    shared = WithLogin(CONFIG, None)
    inner = Recording(home, shared.images)
    one, other = PushingBuilder(inner, shared), PushingBuilder(Recording(home, shared.images), shared)
    order = order_of(home, "sha256:" + "ab" * 32)
    key = one.key(order)
    assert other.find(order, key) is None
    # When
    artifact = one.build(order, key, [].append, lambda: False)
    # Then
    assert artifact.reference == f"registry.example.com/team/jobs@{DIGEST}"
    assert other.find(order, key) == artifact
    assert inner.pushes_seen == [Push(f"registry.example.com/team/jobs:{'ab' * 16}")]
    assert "secret" not in repr(inner.pushes_seen)


def test_what_is_removed_leaves_the_registry_and_the_engine_that_pushed_it(home: Path) -> None:
    # Given
    shared = StubRegistry(CONFIG, None)
    inner = Recording(home, shared.images)
    builder = PushingBuilder(inner, shared)
    order = order_of(home, "sha256:" + "cd" * 32)
    key = builder.key(order)
    artifact = builder.build(order, key, [].append, lambda: False)
    assert inner.find(order, key) is not None
    # When
    why_kept = builder.remove(key, artifact.reference)
    # Then
    assert why_kept == ""
    assert builder.find(order, key) is None
    assert inner.find(order, key) is None


def test_the_login_of_a_push_is_asked_for_when_the_push_begins(home: Path) -> None:
    # Given
    registry = WithLogin(CONFIG, None)
    inner = Recording(home, registry.images)
    order = order_of(home, "sha256:" + "ab" * 32)
    # When
    PushingBuilder(inner, registry).build(order, "sha256:" + "ab" * 32, [].append, lambda: False)
    # Then nobody had asked before the builder did, and each time it gets a fresh one
    assert inner.logins_seen == [Login("agent", "secret-1"), Login("agent", "secret-2")]


def test_a_registry_that_does_not_show_what_was_pushed_is_asked_again_later(home: Path) -> None:
    # Given a builder that pushes somewhere else
    builder = PushingBuilder(Recording(home, {}), StubRegistry(CONFIG, None))
    order = order_of(home, "sha256:" + "ab" * 32)
    # When / Then
    with pytest.raises(TemporaryError, match="does not show it"):
        builder.build(order, builder.key(order), [].append, lambda: False)


def test_a_registry_that_refuses_the_agent_ends_the_run_before_its_build(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a registry with tokens, and no login
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    with registry("agent:secret") as server:
        config = RegistryConfig(type=RegistryKind.OCI, uri=f"{server.address}/team/jobs")
        inner = Recording(home, {})
        builder = PushingBuilder(inner, OciRegistry(config, None))
        order = order_of(home, "sha256:" + "ab" * 32)
        # When
        with pytest.raises(RunFailed) as failed:
            builder.find(order, builder.key(order))
    # Then
    assert failed.value.failure is FailureClass.CONFIG
    assert f"docker login {server.address}" in str(failed.value)
    assert inner.pushes_seen == []


def test_the_builders_destination_has_the_registrys_options_where_both_are_at_one_host() -> None:
    # Given
    block = {"uri": "registry.example.com:5000/team/jobs", "plain_http": True, "type": "oci"}
    beside, elsewhere = "registry.example.com:5000/other", "registry.example.com/other"
    # When
    configs = [
        AgentConfig.model_validate({"registry": block, "builder": {"type": "docker", "destination": destination}})
        for destination in (beside, elsewhere)
    ]
    # Then
    found = [config.destination for config in configs]
    assert [(one.uri, one.plain_http) for one in found if one] == [(beside, True), (elsewhere, False)]
