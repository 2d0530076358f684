"""However many agents want the same, it is built once; and once more when the builder dies in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.settings import Settings, environment_for
from tests.agents import eventually
from tests.docker_engine import BASE_IMAGE, engine
from tests.faults.proxy import SocketProxy
from tests.faults.wishers import LEASE_SECONDS

AGENTS = 50
DOCKER_AGENTS = 6

DOCKERFILE = f"""FROM {BASE_IMAGE}
COPY digest /digest
RUN sleep 3
RUN echo built
"""


class Wishers:
    """Agents that want one image, as processes."""

    def __init__(self, settings: Settings, builder: str = "stub", count: int = AGENTS, name: str = "wisher") -> None:
        self.home = settings.home
        self.count = count
        code = self.home / "code"
        if not code.exists():
            code.mkdir()
            # Content that no engine has built yet.
            (code / "digest").write_text(uuid.uuid4().hex)
            (code / "Dockerfile").write_text(DOCKERFILE)
        self.log = self.home / f"{name}.log"
        environment = environment_for(settings, PYTHONPATH=str(Path(__file__).parents[2]))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.wishers", builder, name, str(count)],
                stdout=log,
                stderr=log,
                env=environment,
            )

    @property
    def builders(self) -> list[int]:
        """The processes that began to build with the stub, in their order."""
        begun = self.home / "stub-images" / "begun"
        return [int(line.split()[0]) for line in begun.read_text().splitlines()] if begun.exists() else []

    @property
    def images(self) -> list[str]:
        """What those have got that have got something."""
        got = self.home / "got"
        return [line.split()[1] for line in got.read_text().splitlines()] if got.exists() else []

    def wait_for_builders(self, count: int, seconds: float = 30.0) -> int:
        """The newest builder, once that many builds have begun."""
        eventually(lambda: len(self.builders) >= count, f"{count} builds began; see {self.log}", seconds)
        return self.builders[count - 1]

    def wait_for_images(self, count: int | None = None, seconds: float = 90.0) -> list[str]:
        """All images, once so many have got theirs."""
        wanted = self.count if count is None else count
        eventually(lambda: len(self.images) >= wanted, f"{wanted} images; {self.log.read_text()[-2000:]}", seconds)
        return self.images

    def close(self) -> None:
        """End what is left of them."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                child.kill()
        self._process.wait()


@contextmanager
def wishers(settings: Settings, **options: Any) -> Iterator[Wishers]:
    made = Wishers(settings, **options)
    try:
        yield made
    finally:
        made.close()


def test_what_fifty_agents_want_is_built_once(settings: Settings) -> None:
    with wishers(settings) as agents:
        # When
        images = agents.wait_for_images()

        # Then
        assert len(set(images)) == 1
        assert len(agents.builders) == 1


def test_when_the_builder_is_killed_one_of_the_others_builds(settings: Settings) -> None:
    with wishers(settings) as agents:
        # Given
        first = agents.wait_for_builders(1)

        # When
        os.kill(first, signal.SIGKILL)
        killed = time.monotonic()
        second = agents.wait_for_builders(2)
        took = time.monotonic() - killed
        images = agents.wait_for_images(AGENTS - 1)

        # Then
        print(f"taken over after {took:.1f} s with a lease of {LEASE_SECONDS} s")
        assert second != first
        assert took < LEASE_SECONDS + 3
        assert len(set(images)) == 1
        assert len(agents.builders) == 2


@pytest.fixture
def shaky(home: Path) -> Iterator[tuple[EmbeddedBroker, Settings]]:
    """A broker of its own."""
    broker = EmbeddedBroker(home)
    broker.ensure_running()
    yield broker, Settings(home=home, broker_url=broker.url, author="tester")
    broker.stop()


def test_a_broker_that_is_killed_in_the_middle_of_the_build_costs_no_second_one(
    shaky: tuple[EmbeddedBroker, Settings],
) -> None:
    # Given
    broker, settings = shaky
    sessions = connect(settings)
    with wishers(settings, count=10) as agents:
        agents.wait_for_builders(1)
        eventually(lambda: len(sessions.keys("launchyard:agent:*:lease")) == 10, "all have begun")
        pid = broker.pid
        assert pid is not None

        # When
        os.kill(pid, signal.SIGKILL)
        psutil.Process(pid).wait(10)
        broker.ensure_running()

        # Then
        assert len(set(agents.wait_for_images())) == 1
        assert len(agents.builders) == 1


def test_a_builder_that_is_cut_off_is_replaced_and_takes_what_the_other_one_built(
    shaky: tuple[EmbeddedBroker, Settings],
) -> None:
    # Given a builder that reaches its broker through a proxy, and others that wait
    broker, settings = shaky
    proxy = SocketProxy(settings.home / "proxy.sock", broker.socket)
    through = settings.model_copy(update={"broker_url": f"redis+socket://{settings.home / 'proxy.sock'}"})
    with wishers(through, count=1, name="cut-off") as cut_off:
        cut_off.wait_for_builders(1)
        with wishers(settings, count=3, name="other") as others:
            # When
            proxy.freeze()
            others.wait_for_builders(2)
            others.wait_for_images(3)
            proxy.thaw()

            # Then
            assert len(set(cut_off.wait_for_images(4))) == 1
            assert len(cut_off.builders) == 2
    proxy.close()


@pytest.fixture
def of_engine() -> Iterator[None]:
    """Removes the images that a test has built."""
    before = {image["Id"] for image in engine().images("launchyard/job")}
    yield
    for image in engine().images("launchyard/job"):
        if image["Id"] not in before:
            engine().remove_image(image["Id"], force=True)


class Builds:
    """What the broker says of the builds of one key."""

    def __init__(self, settings: Settings) -> None:
        self._client = connect(settings)

    @property
    def begun(self) -> int:
        """How often docker was told to build."""
        entries = [entry for key in self._client.keys("launchyard:build:*:log") for entry in self._client.xrange(key)]
        return sum(entry["text"].count("building launchyard/job") for _, entry in entries)

    @property
    def builder(self) -> int:
        """The process that builds."""
        (key,) = (key for key in self._client.keys("launchyard:build:*") if not key.endswith(":log"))
        return int(self._client.hget(key, "session").split()[1])


@pytest.mark.usefixtures("of_engine")
def test_what_several_agents_want_of_one_docker_engine_is_built_once(settings: Settings) -> None:
    with wishers(settings, builder="docker", count=DOCKER_AGENTS) as agents:
        assert len(set(agents.wait_for_images())) == 1
        assert Builds(settings).begun == 1


@pytest.mark.usefixtures("of_engine")
def test_when_an_agent_is_killed_in_a_docker_build_one_of_the_others_builds(settings: Settings) -> None:
    builds = Builds(settings)
    with wishers(settings, builder="docker", count=DOCKER_AGENTS) as agents:
        # Given
        eventually(lambda: builds.begun == 1, f"docker builds; see {agents.log}")

        # When
        os.kill(builds.builder, signal.SIGKILL)

        # Then
        assert len(set(agents.wait_for_images(DOCKER_AGENTS - 1))) == 1
        assert builds.begun == 2
