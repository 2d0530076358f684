"""The docker builder on a real engine, with BuildKit and with the classic builder."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from docker.errors import APIError

from broker_config.errors import ConfigError, TemporaryError
from broker_config.jobs import CodeSource, Job
from broker_config.oci.logins import Login
from broker_config.states import FailureClass, Reason
from tests.docker_engine import BASE_IMAGE, engine
from tests.oci_registry import Registry, registry
from tests.services import require
from tests.workers.builders.wheels import OFFLINE, write_wheel
from workers.builders.docker import DockerBuilder
from workers.builders.protocol import Artifact, Builder, BuildOrder, Push
from workers.building.pushing import PushingBuilder
from workers.config.builder import DockerBuilderConfig
from workers.config.images import RegistryKind
from workers.config.registry import RegistryConfig
from workers.failures import RunCancelled, RunFailed
from workers.images.buildx.program import find
from workers.registries.oci import OciRegistry
from workers.sources.protocol import Fetched
from workers.targets.contract.waiting import eventually

WAYS = ("buildx", "classic")
NEVER: Callable[[], bool] = lambda: False  # noqa: E731

PRINTS_VALUE = {"main.py": "import greeting; print(greeting.VALUE)"}


@dataclass
class BuilderLab:
    """Builders, folders of code, and the images that came of them."""

    home: Path
    api: docker.APIClient
    images: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def builder(self, **options: Any) -> DockerBuilder:
        return DockerBuilder(self.home, DockerBuilderConfig(**options))

    def order(self, files: Mapping[str, str], **job: Any) -> BuildOrder:
        """An order for code with these files; the same files have the same digest."""
        digest = sha256(repr(sorted(files.items())).encode()).hexdigest()
        folder = self.home / f"code-{digest[:8]}-{len(list(self.home.iterdir()))}"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        source = CodeSource(digest=f"sha256:{digest}", size_bytes=1)
        return BuildOrder(Job(source=source, **job), Fetched(f"sha256:{digest}", folder=folder))

    def build(self, builder: Builder, order: BuildOrder, cancelled: Callable[[], bool] = NEVER) -> Artifact:
        artifact = builder.build(order, builder.key(order), self.log.append, cancelled)
        self.images.append(artifact.reference)
        return artifact

    def output_of(self, artifact: Artifact, *command: str) -> str:
        """What a command in the image prints."""
        made = self.api.create_container_from_config({"Image": artifact.reference, "Cmd": [*command]})  # type: ignore[no-untyped-call]
        try:
            self.api.start(made["Id"])
            self.api.wait(made["Id"], timeout=60)
            return self.api.logs(made["Id"]).decode()
        finally:
            self.api.remove_container(made["Id"], force=True)

    def close(self) -> None:
        for reference in self.images:
            with suppress(APIError):
                self.api.remove_image(reference, force=True)


@pytest.fixture
def lab(home: Path) -> Iterator[BuilderLab]:
    lab = BuilderLab(home, engine())
    yield lab
    lab.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of building: with the machine's docker CLI, and with none."""
    if request.param == "buildx":
        require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    else:
        monkeypatch.setenv("PATH", str(home))
    return str(request.param)


# --- build ------------------------------------------------------------------------------------------------------------


def test_code_with_requirements_becomes_an_image_in_which_it_runs(lab: BuilderLab, way: str) -> None:
    # Given
    order = lab.order({"requirements.txt": f"{OFFLINE}greeting\n", **PRINTS_VALUE})
    assert order.fetched.folder is not None
    write_wheel(order.fetched.folder / "wheels", "greeting", "1.0", "hello")
    # When
    artifact = lab.build(lab.builder(), order)
    # Then
    assert lab.output_of(artifact, "python", "main.py") == "hello\n"
    assert lab.output_of(artifact, "sh", "-c", "id -un; pwd; touch result && echo writes") == "job\n/job\nwrites\n"
    assert ("classic" in lab.log[0]) == (way == "classic")


def test_the_jobs_own_dockerfile_is_built_with_the_build_arguments(lab: BuilderLab, way: str) -> None:
    # Given
    text = f"FROM {BASE_IMAGE}\nARG WORD=nothing\nRUN echo $WORD > /word\nCOPY main.py /main.py\n"
    order = lab.order({"docker/train.Dockerfile": text, **PRINTS_VALUE}, dockerfile="docker/train.Dockerfile")
    # When
    artifact = lab.build(lab.builder(**{"build-args": {"WORD": "something"}}), order)
    # Then
    assert lab.output_of(artifact, "cat", "/word") == "something\n"


def test_what_an_ignore_file_names_is_left_out(lab: BuilderLab, way: str) -> None:
    # Given
    order = lab.order({"data/big": "x", "keep.txt": "", ".dockerignore": "# large\ndata\n.dockerignore\n"})
    # When
    artifact = lab.build(lab.builder(), order)
    # Then
    assert lab.output_of(artifact, "ls", "-A", "/job") == "keep.txt\n"


def test_without_an_ignore_file_the_history_of_the_code_is_left_out(lab: BuilderLab, way: str) -> None:
    # Given
    order = lab.order({".git/config": "url = https://user:password@host", "keep.txt": ""})
    # When
    artifact = lab.build(lab.builder(), order)
    # Then
    assert lab.output_of(artifact, "ls", "-A", "/job") == "keep.txt\n"


def test_a_change_of_the_code_alone_installs_nothing_again(lab: BuilderLab) -> None:
    # Given
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    requirements = {"requirements.txt": f"# {time.time()}\n"}
    lab.build(lab.builder(), lab.order({**requirements, "main.py": "1"}))
    # When
    artifact = lab.build(lab.builder(), lab.order({**requirements, "main.py": "2"}))
    # Then
    install = next(step for step in artifact.steps if '"pip", "install"' in step.name)
    copy = next(step for step in artifact.steps if "COPY --chown=1000:1000 . ." in step.name)
    assert (install.is_cached, copy.is_cached) == (True, False)


def test_a_build_tells_of_its_steps_and_of_the_images_size(lab: BuilderLab, way: str) -> None:
    # Given
    text = f"FROM {BASE_IMAGE}\nRUN echo begins; sleep 0.4; echo {time.time()}\nCOPY main.py /main.py\n"
    # When
    artifact = lab.build(lab.builder(), lab.order({"Dockerfile": text, **PRINTS_VALUE}))
    # Then
    run = next(step for step in artifact.steps if "RUN" in step.name)
    assert [step.name.partition("/")[0] for step in artifact.steps][:3] == ["[1", "[2", "[3"]
    assert 0.4 <= run.seconds < 30
    assert not run.is_cached
    assert (artifact.size_bytes or 0) > 1_000_000
    assert any("begins" in line for line in lab.log)


def test_a_builds_secret_is_in_no_image_and_no_line(
    lab: BuilderLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    monkeypatch.setenv("INDEX_TOKEN", "of-the-environment")
    (tmp_path / "netrc").write_text("of-a-file")
    mounts = "--mount=type=secret,id=token --mount=type=secret,id=netrc"
    text = f"FROM {BASE_IMAGE}\nRUN {mounts} cat /run/secrets/* | wc -c > /lengths; echo {time.time()}\n"
    secrets = {"token": {"env": "INDEX_TOKEN"}, "netrc": {"file": tmp_path / "netrc"}}
    # When
    artifact = lab.build(lab.builder(secrets=secrets), lab.order({"Dockerfile": text}))
    # Then
    assert lab.output_of(artifact, "cat", "/lengths").split() == [str(len("of-the-environment" + "of-a-file"))]
    assert "of-the-environment" not in "".join(lab.log)
    assert lab.output_of(artifact, "sh", "-c", "cat /run/secrets/* 2>/dev/null") == ""


# --- find -------------------------------------------------------------------------------------------------------------


def test_the_same_content_is_found_by_another_agent_and_other_content_is_not(lab: BuilderLab) -> None:
    # Given
    files = {"main.py": f"print({time.time()})"}
    order = lab.order(files)
    builder = lab.builder()
    assert builder.find(order, builder.key(order)) is None
    artifact = lab.build(builder, order)
    # When
    again = lab.order(files, entry_point=["python", "other.py"], args=["1"])
    successor = lab.builder()
    # Then
    assert successor.find(again, successor.key(again)) == artifact
    for changed, options in (
        (lab.order({**files, "more.py": ""}), {}),
        (lab.order(files, python_version="3.12"), {}),
        (lab.order(files), {"platform": "linux/arm64"}),
        (lab.order(files), {"build-args": {"A": "1"}}),
    ):
        other = lab.builder(**options)
        assert other.key(changed) != builder.key(order)
        assert other.find(changed, other.key(changed)) is None


def test_an_image_of_that_tag_with_another_key_is_not_taken(lab: BuilderLab) -> None:
    # Given
    order = lab.order({"main.py": f"print({time.time()})"})
    builder = lab.builder()
    key = builder.key(order)
    lab.api.tag(BASE_IMAGE, "launchyard/job", key[:32])
    lab.images.append(f"launchyard/job:{key[:32]}")
    # Then
    assert builder.find(order, key) is None


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_command_that_fails_fails_the_run_with_the_last_lines(lab: BuilderLab, way: str) -> None:
    # Given
    text = f"FROM {BASE_IMAGE}\nRUN echo before\nRUN echo it is: connection refused; exit 9\n"
    order = lab.order({"Dockerfile": text})
    # When
    with pytest.raises(RunFailed) as failed:
        lab.build(lab.builder(), order)
    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.BUILD, Reason.BUILD_FAILED)
    # The classic builder counts our label as a step.
    assert re.search(r"failed at \[3/[34]\] RUN echo it is", str(failed.value))
    assert "9" in str(failed.value)
    assert "before" not in str(failed.value)
    assert "it is: connection refused" in str(failed.value)
    assert any("it is: connection refused" in line for line in lab.log)


def test_a_base_image_that_does_not_exist_fails_the_run(lab: BuilderLab, way: str) -> None:
    with registry() as server, pytest.raises(RunFailed) as failed:
        lab.build(lab.builder(), lab.order({"Dockerfile": f"FROM {server.address}/nothing/here:1\n"}))
    assert failed.value.failure is FailureClass.BUILD
    assert "nothing/here" in str(failed.value)


def test_a_registry_that_does_not_answer_is_worth_another_try(lab: BuilderLab, way: str) -> None:
    with registry() as server:
        address = server.address
    with pytest.raises(TemporaryError):
        lab.build(lab.builder(), lab.order({"Dockerfile": f"FROM {address}/nothing/here:1\n"}))


def test_a_cancelled_build_ends_soon_and_leaves_nothing_running(lab: BuilderLab, way: str) -> None:
    # Given a command with arguments that no other process has
    seconds = f"{1_000_000 + time.time_ns() % 1_000_000}"
    order = lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN sleep {seconds}\n"})
    asked: list[float] = []

    def cancelled() -> bool:
        if not asked and _is_running(seconds):
            asked.append(time.monotonic())
        return bool(asked)

    # When
    with pytest.raises(RunCancelled):
        lab.build(lab.builder(), order, cancelled)
    # Then
    assert time.monotonic() - asked[0] < 2.0
    eventually(lambda: not _is_running(seconds), 5.0)


def _is_running(argument: str) -> bool:
    # The engine is on this machine, or the test waits in vain and fails.
    return any(argument in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


# --- destination ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pushed_to() -> Iterator[Registry]:
    with registry() as server:
        yield server


def test_an_image_is_pushed_where_the_order_says(lab: BuilderLab, pushed_to: Registry) -> None:
    # Given
    reference = f"{pushed_to.address}/team/train:one"
    order = replace(lab.order({"main.py": "print('pushed')"}), push=Push(reference))
    # When
    artifact = lab.build(lab.builder(), order)
    # Then
    assert ("team/train", "one") in pushed_to.manifests
    if find() is not None:
        _, manifest = pushed_to.manifests["team/train", "one"]
        assert artifact.reference == f"{pushed_to.address}/team/train@sha256:{sha256(manifest).hexdigest()}"


def test_without_buildx_the_engine_pushes(
    lab: BuilderLab, pushed_to: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("PATH", str(lab.home))
    order = replace(lab.order({"main.py": "1"}), push=Push(f"{pushed_to.address}/team/train:classic"))
    # When
    lab.build(lab.builder(), order)
    # Then
    assert ("team/train", "classic") in pushed_to.manifests


def test_layers_are_kept_in_a_registry_for_other_machines(lab: BuilderLab, pushed_to: Registry) -> None:
    # Given
    _require_image_store(lab)
    cache = f"{pushed_to.address}/team/cache:train"
    options = {"cache-from": [cache], "cache-to": [f"type=registry,ref={cache},mode=max"]}
    builder = lab.builder(**options)
    # When
    lab.build(builder, lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN echo {time.time()}\n"}))
    lab.build(builder, lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\nRUN echo {time.time()}\n"}))
    # Then
    assert ("team/cache", "train") in pushed_to.manifests
    assert any(line.startswith("importing cache manifest from") for line in lab.log)
    assert builder.check() == lab.builder().check()


def test_an_image_for_two_platforms_is_an_index(lab: BuilderLab, pushed_to: Registry) -> None:
    # Given code without a RUN, as this machine runs one platform only
    _require_image_store(lab)
    files = {"Dockerfile": "FROM scratch\nCOPY main.py /\n", "main.py": ""}
    order = replace(lab.order(files), push=Push(f"{pushed_to.address}/team/train:both"))
    # When
    lab.build(lab.builder(platform="linux/arm64,linux/amd64"), order)
    # Then
    kind, manifest = pushed_to.manifests["team/train", "both"]
    platforms = [one["platform"]["architecture"] for one in json.loads(manifest)["manifests"]]
    assert ("index" in kind or "list" in kind, sorted(platforms)) == (True, ["amd64", "arm64"])


def _require_image_store(lab: BuilderLab) -> None:
    status = lab.api.info()["DriverStatus"]
    require(["driver-type", "io.containerd.snapshotter.v1"] in status, "the engine has no containerd image store")


def test_a_push_has_the_login_that_it_was_given(lab: BuilderLab) -> None:
    with registry("agent:secret") as server:
        # Given
        order = lab.order({"main.py": "print('with a login')"})
        reference = f"{server.address}/team/train:two"
        # When
        lab.build(lab.builder(), replace(order, push=Push(reference, lambda: Login("agent", "secret"))))
        with pytest.raises(RunFailed) as failed:
            lab.build(lab.builder(), replace(order, push=Push(f"{reference}-refused", lambda: Login("agent", "wrong"))))
        # Then
        assert ("team/train", "two") in server.manifests
        assert failed.value.reason is Reason.BUILD_FAILED
        assert "launchyard agent check" in str(failed.value)
        assert "wrong" not in str(failed.value)
        lab.images.append(f"{reference}-refused")


def test_a_login_that_ran_out_during_the_build_is_asked_for_anew(lab: BuilderLab, way: str) -> None:
    with registry("agent:secret") as server:
        # Given
        logins = iter([Login("agent", "of-yesterday"), Login("agent", "secret")])
        push = Push(f"{server.address}/team/train:long", lambda: next(logins))
        if way == "classic":
            # It asks when the image is there, and not before.
            next(logins)
        # When
        lab.build(lab.builder(), replace(lab.order({"main.py": "print('long')"}), push=push))
        # Then
        assert ("team/train", "long") in server.manifests


def test_another_agent_finds_what_one_has_pushed_and_runs_it_by_its_digest(
    lab: BuilderLab, pushed_to: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("DOCKER_CONFIG", str(lab.home))
    config = RegistryConfig(type=RegistryKind.OCI, uri=f"{pushed_to.address}/team/train")
    one, other = (PushingBuilder(lab.builder(), OciRegistry(config, None)) for _ in range(2))
    order = lab.order({"main.py": "print('once')"})
    assert one.find(order, one.key(order)) is None
    # When
    artifact = lab.build(one, order)
    # Then
    assert other.find(order, other.key(order)) == artifact
    repository, _, digest = artifact.reference.partition("@")
    assert (repository, digest) == (config.uri, f"sha256:{digest[7:]}")
    assert lab.api.inspect_image(artifact.reference)


# --- without an engine ------------------------------------------------------------------------------------------------


def test_without_an_engine_there_is_no_builder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/no-engine.sock")
    # When
    with pytest.raises(ConfigError) as failed:
        DockerBuilder(home, DockerBuilderConfig())
    # Then
    assert "DOCKER_HOST" in str(failed.value)


def test_an_engine_that_went_away_is_worth_another_try(lab: BuilderLab, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    builder = lab.builder()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{lab.home}/no-engine.sock")
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    # When
    with pytest.raises(TemporaryError):
        lab.build(builder, lab.order({"Dockerfile": f"FROM {BASE_IMAGE}\n"}))
