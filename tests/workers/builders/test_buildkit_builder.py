"""The buildkit builder on a real daemon, with a real registry and no engine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import ConfigError, TemporaryError
from broker_config.jobs import CodeSource, Job
from broker_config.looks import Status
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason
from broker_config.store import Store
from tests.buildkit import Daemon, buildkitd
from tests.certificates import make_certificates
from tests.docker_engine import BASE_IMAGE, mirrored
from tests.docker_registry import docker_registry
from tests.ports import free_port
from tests.processes import is_running
from tests.services import require
from workers.builders.buildkit import BuildkitBuilder
from workers.builders.protocol import Artifact, BuildOrder, Push
from workers.check import check
from workers.config.buildkit import BuildkitBuilderConfig
from workers.failures import RunCancelled, RunFailed
from workers.images.buildx.program import find
from workers.sources.protocol import Fetched
from workers.targets.contract.waiting import eventually

NEVER: Callable[[], bool] = lambda: False  # noqa: E731


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that has the base image as Docker Hub names it."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as host:
        mirrored(host)
        yield host


@pytest.fixture(scope="module")
def shared(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon for all tests that leave it as it is."""
    with buildkitd(tmp_path_factory.mktemp("buildkit"), [registry]) as daemon:
        yield daemon


class Lab:
    """A builder without an engine, and what it told."""

    def __init__(self, home: Path, registry: str) -> None:
        self.home = home
        self.registry = registry
        self.log: list[str] = []

    def builder(self, address: str, **options: Any) -> BuildkitBuilder:
        return BuildkitBuilder(self.home, BuildkitBuilderConfig(address=address, **options))

    def order(self, files: Mapping[str, str], tag: str = "one", login: Login | None = None) -> BuildOrder:
        digest = sha256(repr(sorted(files.items())).encode()).hexdigest()
        folder = self.home / f"code-{digest[:8]}"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        source = CodeSource(digest=f"sha256:{digest}", size_bytes=1)
        push = Push(f"{self.registry}/team/train:{tag}", lambda: login)
        return BuildOrder(Job(source=source), Fetched(f"sha256:{digest}", folder=folder), push=push)

    def build(self, builder: BuildkitBuilder, order: BuildOrder, cancelled: Callable[[], bool] = NEVER) -> Artifact:
        return builder.build(order, builder.key(order), self.log.append, cancelled)


@pytest.fixture
def lab(home: Path, registry: str, monkeypatch: pytest.MonkeyPatch) -> Lab:
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/no-engine.sock")
    return Lab(home, registry)


def test_code_is_built_without_an_engine_and_pushed_by_its_digest(lab: Lab, shared: Daemon) -> None:
    # Given
    order = lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN echo {time.time()} > /built\n"})
    # When
    artifact = lab.build(lab.builder(shared.address), order)
    # Then
    shown = Distribution(f"{lab.registry}/team/train", lambda: None, "").digest("one")
    assert artifact.reference == f"{lab.registry}/team/train@{shown}"
    assert (artifact.size_bytes or 0) > 1_000_000
    assert any("RUN echo" in step.name and not step.is_cached for step in artifact.steps)


def test_agents_of_one_home_know_the_daemon_together(lab: Lab, shared: Daemon) -> None:
    # Given
    order = lab.order({"main.py": "print('shared')"})
    # When
    keys = {lab.builder(shared.address).key(order) for _ in range(2)}
    # Then
    assert len(keys) == 1
    assert len(list((lab.home / "buildx" / "instances").iterdir())) == 1


def test_a_push_has_the_login_of_its_registry(lab: Lab, shared: Daemon, tmp_path: Path) -> None:
    with docker_registry(tmp_path, has_password=True) as host:
        # Given
        private = Lab(lab.home, host)
        builder = private.builder(shared.address)
        files = {"Dockerfile": "FROM scratch\nCOPY main.py /\n", "main.py": ""}
        # When
        artifact = private.build(builder, private.order(files, login=Login("agent", "secret")))
        with pytest.raises(RunFailed) as failed:
            private.build(builder, private.order(files, "two", Login("agent", "wrong")))
        # Then
        assert "@sha256:" in artifact.reference
        assert "launchyard agent check" in str(failed.value)
        assert "wrong" not in str(failed.value)


def test_a_command_that_fails_fails_the_run_with_the_step_and_its_last_lines(lab: Lab, shared: Daemon) -> None:
    # Given
    order = lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN echo no space left on device; exit 3\n"})
    # When
    with pytest.raises(RunFailed) as failed:
        lab.build(lab.builder(shared.address), order)
    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.BUILD, Reason.BUILD_FAILED)
    assert "failed at [2/2] RUN echo no space left" in str(failed.value)
    assert str(failed.value).endswith("no space left on device")


def test_a_cancelled_build_ends_in_the_daemon_within_two_seconds(lab: Lab, shared: Daemon) -> None:
    # Given a command with arguments that no other process has
    seconds = f"{2_000_000 + time.time_ns() % 1_000_000}"
    order = lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN sleep {seconds}\n"})
    asked: list[float] = []

    def cancelled() -> bool:
        if not asked and is_running("sleep", seconds):
            asked.append(time.monotonic())
        return bool(asked)

    # When
    with pytest.raises(RunCancelled):
        lab.build(lab.builder(shared.address), order, cancelled)
    # Then
    assert time.monotonic() - asked[0] < 2.0
    eventually(lambda: not is_running("sleep", seconds), 5.0)
    assert not [path for path in (lab.home / "building").iterdir() if path.is_dir()]


def test_a_daemon_that_dies_in_the_middle_of_a_build_is_worth_another_try(lab: Lab, tmp_path: Path) -> None:
    # Given
    seconds = f"{3_000_000 + time.time_ns() % 1_000_000}"
    order = lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN sleep {seconds}\n"})
    with buildkitd(tmp_path, [lab.registry]) as daemon:
        builder = lab.builder(daemon.address)

        def killed() -> bool:
            if daemon.process.poll() is None and is_running("sleep", seconds):
                daemon.kill()
            return False

        # When
        with pytest.raises(TemporaryError) as failed:
            lab.build(builder, order, killed)
    # Then
    assert "Unavailable" in str(failed.value)


def test_layers_of_one_daemon_are_another_ones_through_the_registry(lab: Lab, shared: Daemon, tmp_path: Path) -> None:
    # Given
    order = lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN echo {time.time()} > /built\n"})
    cache = f"{lab.registry}/team/cache:train"
    lab.build(lab.builder(shared.address, cache_to=[f"type=registry,ref={cache},mode=max"]), order)
    # When
    with buildkitd(tmp_path, [lab.registry]) as other:
        artifact = lab.build(lab.builder(other.address, cache_from=[cache]), order)
    # Then
    assert [step.is_cached for step in artifact.steps if "RUN echo" in step.name] == [True]


def test_a_daemon_behind_tls_is_known_by_its_authority(lab: Lab, tmp_path: Path) -> None:
    # Given
    made = make_certificates(tmp_path / "certificates")
    address = f"tcp://127.0.0.1:{free_port()}"
    listen = [address, f"--tlscert={made.server}", f"--tlskey={made.server_key}"]
    # When
    with buildkitd(tmp_path, [lab.registry], listen):
        builder = lab.builder(address, tls={"ca": made.authority})
        with pytest.raises(ConfigError):
            lab.builder(address)
        artifact = lab.build(builder, lab.order({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "1"}, "tls"))
    # Then
    assert "@sha256:" in artifact.reference


def test_without_a_daemon_there_is_no_builder(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.delenv("BUILDKIT_HOST", raising=False)
    # When
    with pytest.raises(ConfigError) as unnamed:
        BuildkitBuilder(lab.home, BuildkitBuilderConfig())
    with pytest.raises(ConfigError) as silent:
        lab.builder(f"unix://{lab.home}/no-daemon.sock")
    # Then
    assert "BUILDKIT_HOST" in str(unnamed.value)
    assert "no-daemon.sock" in str(silent.value)


def test_the_daemon_may_be_named_by_the_environment(lab: Lab, shared: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDKIT_HOST", shared.address)
    assert BuildkitBuilder(lab.home, BuildkitBuilderConfig()).check() == []


def test_an_agent_without_an_engine_takes_it_and_says_why(
    lab: Lab, shared: Daemon, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("BUILDKIT_HOST", shared.address)
    store.queues.create(Queue(name="gpu", resource="stub"))
    (settings.home / "launch-config.yaml").write_text(f"queues: [gpu]\nregistry: {{uri: {lab.registry}/team/train}}\n")
    # When
    lines = [line for line in check(settings, None) if line.subject.startswith("builder")]
    # Then
    assert [(line.status, line.subject) for line in lines] == [
        (Status.WARNING, "builder docker"),
        (Status.OK, "builder buildkit"),
    ]
    assert "BUILDKIT_HOST" in lines[1].text


def test_without_the_docker_cli_the_cure_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(home))
    with pytest.raises(ConfigError, match="docker-buildx"):
        BuildkitBuilder(home, BuildkitBuilderConfig(address=f"unix://{home}/some.sock"))
