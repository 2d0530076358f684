"""One installation by `compose/compose.yaml`, with a project name, images, ports and passwords of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from docker.utils import kwargs_from_env

from broker_config.settings import Settings
from tests.docker_engine import BASE_IMAGE, engine
from tests.flower import FlowerApi
from tests.ports import free_port
from tests.services import require

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
VALKEY = Path(__file__).parent / "valkey"

BUILD_SECONDS = 420
UP_SECONDS = 180


def docker(*arguments: str, seconds: float = 120, **variables: str) -> str:
    """What a docker command prints. It fails with what it said instead."""
    done = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout[-3000:]}"
    return done.stdout


def require_compose() -> str:
    """The path of the engine's socket; skips the test where there is no engine, or no compose with BuildKit."""
    engine()
    for plugin in ("compose", "buildx"):
        try:
            docker(plugin, "version", seconds=30)
        except (AssertionError, OSError) as error:
            require(False, f"docker {plugin} is missing: {error}")
    address = kwargs_from_env().get("base_url") or "unix:///var/run/docker.sock"
    require(address.startswith("unix://"), "the agent is given the engine's unix socket; let DOCKER_HOST name one")
    return address.removeprefix("unix://")


class Installation:
    """The services of both compose files. Whatever it made is removed by `remove`."""

    def __init__(self, folder: Path, socket: str) -> None:
        self.name = f"launchyard-test-{os.getpid()}"
        self._folder = folder
        self._ports = {"LAUNCHYARD_BROKER_PORT": free_port(), "LAUNCHYARD_FLOWER_PORT": free_port()}
        self._ports["LAUNCHYARD_SERVER_PORT"] = free_port()
        self._variables = {
            **{name: str(port) for name, port in self._ports.items()},
            "LAUNCHYARD_SECRETS": str(folder / "secrets"),
            "LAUNCHYARD_IMAGE": f"{self.name}-image",
            "VALKEY_IMAGE": f"{self.name}-valkey",
            "PYTHON_IMAGE": BASE_IMAGE,
            "DOCKER_SOCKET": socket,
            "DOCKER_GROUP": str(Path(socket).stat().st_gid),
        }

    def build(self) -> None:
        """Make the passwords and the images."""
        subprocess.run(
            [COMPOSE / "prepare.sh"], env={**os.environ, **self._variables}, check=True, timeout=30, capture_output=True
        )
        valkey = self._variables["VALKEY_IMAGE"]
        docker("build", "--quiet", "--build-arg", f"PYTHON_IMAGE={BASE_IMAGE}", "-t", valkey, str(VALKEY), seconds=180)
        self.compose("build", seconds=BUILD_SECONDS)

    def up(self) -> None:
        """Start what does not run, and wait until all of it is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", str(UP_SECONDS), seconds=UP_SECONDS + 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--tail', '20')}") from None

    def compose(self, *arguments: str, seconds: float = 180) -> str:
        """What `docker compose` prints for this project."""
        files = [word for file in ("compose.yaml", "docker.yaml") for word in ("--file", str(COMPOSE / file))]
        return docker("compose", "--project-name", self.name, *files, *arguments, seconds=seconds, **self._variables)

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        found: dict[str, Any] = json.loads(docker("inspect", container))[0]
        return found

    def password(self, name: str) -> str:
        return (self._folder / "secrets" / f"{name}-password").read_text().strip()

    @property
    def settings(self) -> Settings:
        """Settings of a producer on this machine, outside the containers."""
        port = self._ports["LAUNCHYARD_BROKER_PORT"]
        url = f"redis://launchyard:{self.password('broker')}@127.0.0.1:{port}/0"
        return Settings(home=self._folder / "home", broker_url=url, author="tester")

    @property
    def flower(self) -> FlowerApi:
        url = f"http://127.0.0.1:{self._ports['LAUNCHYARD_FLOWER_PORT']}"
        return FlowerApi(url, f"launchyard:{self.password('flower')}")

    @property
    def server_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['LAUNCHYARD_SERVER_PORT']}"

    def remove(self) -> None:
        """Remove containers, volumes, network and images."""
        self.compose("down", "--volumes", "--timeout", "20")
        images = [self._variables[name] for name in ("LAUNCHYARD_IMAGE", "VALKEY_IMAGE")]
        docker("image", "rm", "--force", *images)
