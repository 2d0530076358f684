"""Fixtures of the command line's tests: commands in this process, and as processes of their own."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from broker_config.settings import Settings
from producer.cli import main
from producer.server.app import create_app
from producer.server.serving import serving
from tests.producer.conftest import known_as


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The documents of a command that follows."""
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Answer]


@pytest.fixture(params=["broker", "server"])
def launchyard(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Call]:
    """Calls a command in this process, on the test's broker or through a server before it."""
    if request.param == "broker":
        yield command(settings)
        return
    with serving(create_app(settings, known_as(getpass.getuser()))) as url:
        yield command(settings.model_copy(update={"server_url": url}))


def command(settings: Settings, author: str = "") -> Call:
    """Calls a command in this process, on that broker or through that server, and as that author."""

    def call(*arguments: str, stdin: str | None = None) -> Answer:
        flags = ["--home", str(settings.home), "--broker-url", str(settings.broker_url)]
        environ = {
            "LAUNCHYARD_AUTHOR": author,
            "LAUNCHYARD_SERVER_URL": settings.server_url or "",
            "LAUNCHYARD_API_KEY": settings.api_key or "",
        }
        result = CliRunner().invoke(main, [*flags, *arguments], input=stdin, env=environ)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


class Processes:
    """Commands as real processes, with a home folder and without any other setting. What is left is ended."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAUNCHYARD_")}
        self._environment = {**kept, "LAUNCHYARD_HOME": str(home)}
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer.cli", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def call(self, *arguments: str, timeout: float = 60) -> Answer:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        return Answer(process.returncode, out, err)

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=90)


@pytest.fixture
def processes(home: Path) -> Iterator[Processes]:
    """Real commands on an embedded broker of their own, which is stopped at the end."""
    processes = Processes(home)
    yield processes
    processes.end()
    processes.call("broker", "stop")
