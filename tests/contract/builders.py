"""The members of the family of builders, for the contract suite. A new builder is added to `BUILDERS`."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from broker_config.jobs import CodeSource, Job
from tests.buildkit import buildkitd
from tests.cluster import cluster
from tests.docker_engine import engine
from tests.docker_registry import docker_registry
from tests.services import require
from tests.workers.builders.kaniko_lab import kaniko, kaniko_config
from tests.workers.builders.wheels import OFFLINE, write_wheel
from workers.builders.buildkit import BuildkitBuilder
from workers.builders.docker import DockerBuilder
from workers.builders.noop import NoopBuilder
from workers.builders.protocol import Builder, BuildOrder
from workers.builders.stub import StubBuilder
from workers.builders.venv import VenvBuilder
from workers.building.pushing import PushingBuilder
from workers.config.builder import DockerBuilderConfig, NoopBuilderConfig, OtherBuilderConfig, VenvConfig
from workers.config.buildkit import BuildkitBuilderConfig
from workers.config.images import RegistryKind
from workers.config.registry import RegistryConfig
from workers.images.buildx.program import find
from workers.registries.oci import OciRegistry
from workers.sources.protocol import Fetched

IMAGE_LABEL = "launchyard.test=builder-contract"
"""On the images that the suite leaves on an engine."""


class Case(Protocol):
    """How the suite makes a builder and gives it orders. Each may skip the test with `tests.services.require`."""

    builds: bool
    """False: every order is refused."""

    keeps: bool
    """Whether another instance on the same home finds what one has built."""

    def make(self, home: Path) -> Builder: ...

    def order(self, home: Path, content: str) -> BuildOrder:
        """An order for that content; another content gives another artifact."""
        ...


def order_of(folder: Path, digest: str) -> BuildOrder:
    source = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)
    return BuildOrder(Job(source=source, entry_point=("python", "train.py")), Fetched(digest, folder=folder))


class Stub:
    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        return StubBuilder(home, OtherBuilderConfig(type="stub"))

    def order(self, home: Path, content: str) -> BuildOrder:
        return order_of(home, content)


class Noop:
    builds = False
    keeps = False

    def make(self, home: Path) -> Builder:
        return NoopBuilder(home, NoopBuilderConfig())

    def order(self, home: Path, content: str) -> BuildOrder:
        order = order_of(home, content)
        return replace(order, job=order.job.model_copy(update={"dockerfile": "Dockerfile"}))


class Venv:
    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        return VenvBuilder(home, VenvConfig())

    def order(self, home: Path, content: str) -> BuildOrder:
        code = home / content
        write_wheel(code / "wheels", "probe", "1.0", content)
        (code / "requirements.txt").write_text(OFFLINE + "probe\n")
        return order_of(code, content)


class Docker:
    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        engine()
        require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
        return DockerBuilder(home, DockerBuilderConfig())

    def order(self, home: Path, content: str) -> BuildOrder:
        return small_image(home, content)


class DockerClassic(Docker):
    def make(self, home: Path) -> Builder:
        builder = DockerBuilder(home, DockerBuilderConfig()) if engine() else None
        assert builder
        # As on a machine without the docker CLI.
        builder.__dict__["_buildx"] = None
        return builder


class Buildkit:
    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
        address, registry = buildkit_and_registry()
        config = RegistryConfig(type=RegistryKind.OCI, uri=f"{registry}/{repository_of(home)}")
        return PushingBuilder(BuildkitBuilder(home, BuildkitBuilderConfig(address=address)), OciRegistry(config, None))

    def order(self, home: Path, content: str) -> BuildOrder:
        return small_image(home, content)


class Kaniko:
    """With the registry that it pushes to, as an agent uses it."""

    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        cluster()
        # Without the times of its files, what is built twice is the same.
        return kaniko(home, kaniko_config("default", "--reproducible=true"), repository_of(home))

    def order(self, home: Path, content: str) -> BuildOrder:
        return small_image(home, content)


def repository_of(home: Path) -> str:
    """A repository that no other home has. The home's own name may be none that a registry takes: `ly-u9kblpl_`."""
    return f"jobs/{uuid5(NAMESPACE_URL, str(home)).hex}"


def small_image(home: Path, content: str) -> BuildOrder:
    """An order that no other test gives."""
    code = home / content
    code.mkdir(exist_ok=True)
    (code / "Dockerfile").write_text(f"FROM scratch\nLABEL {IMAGE_LABEL}\nCOPY content /\n")
    (code / "content").write_text(content)
    return order_of(code, f"{home.name}-{content}")


@cache
def buildkit_and_registry() -> tuple[str, str]:
    """The address of a daemon, and a registry on loopback, both for as long as the tests run."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="ly-buildkit-")))
    registry = stack.enter_context(docker_registry(folder))
    return stack.enter_context(buildkitd(folder, [registry])).address, registry


BUILDERS: dict[str, Case] = {
    "stub": Stub(),
    "noop": Noop(),
    "venv": Venv(),
    "docker": Docker(),
    "docker-classic": DockerClassic(),
    "buildkit": Buildkit(),
    "kaniko": Kaniko(),
}
