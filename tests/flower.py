"""The real Flower as a process, and what a test asks of it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker_config.connection import connect
from broker_config.settings import Settings, environment_for
from tests.agents import eventually
from tests.ports import free_port

LOGIN = "operator:correct-horse"
READY_SECONDS = 60.0
ANSWER_SECONDS = 20.0


class FlowerApi:
    """Asks a Flower that runs somewhere."""

    def __init__(self, url: str, login: str = LOGIN) -> None:
        self.url = url
        self._login = login

    def ask(
        self, path: str, method: str = "GET", *, login: str | None = None, body: bytes | None = None
    ) -> tuple[int, str]:
        """Status and text of an answer; status 0 when nobody answers. An empty `login` sends none."""
        request = urllib.request.Request(self.url + path, data=body, method=method)
        if given := self._login if login is None else login:
            request.add_header("Authorization", "Basic " + base64.b64encode(given.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, OSError):
            return 0, ""

    def page(self, path: str) -> str:
        """The text of an answer that must be there."""
        status, text = self.ask(path)
        assert status == 200, (path, status, text[-500:])
        return text

    def tasks(self) -> Mapping[str, Any]:
        """All runs that Flower knows, by id."""
        tasks: Mapping[str, Any] = json.loads(self.page("/api/tasks"))
        return tasks

    def wait_for(self, run_id: str, state: str, seconds: float = 30.0) -> Mapping[str, Any]:
        """What Flower says of a run once it shows that state."""
        eventually(lambda: self.tasks().get(run_id, {}).get("state") == state, f"{run_id} is {state}", seconds)
        found: Mapping[str, Any] = self.tasks()[run_id]
        return found

    def wait_until_ready(self) -> None:
        """Return when it answers who has the login."""
        eventually(lambda: self.ask("/api/tasks")[0] == 200, f"Flower answers at {self.url}", READY_SECONDS)


class FlowerProcess(FlowerApi):
    """`celery -A workers flower` with the settings of a test."""

    def __init__(self, settings: Settings, onlooker: Settings | None = None) -> None:
        """`onlooker`: who may ask the broker who listens, where Flower's own user may not."""
        self._port = free_port()
        self._settings = settings
        self._onlooker = onlooker or settings
        self.log = settings.home / "flower.log"
        super().__init__(f"http://127.0.0.1:{self._port}")

    def start(self) -> FlowerProcess:
        """Start, and wait until it answers and sees what happens."""
        command = [sys.executable, "-m", "celery", "-A", "workers", "flower"]
        options = ["--address=127.0.0.1", f"--port={self._port}"]
        environment = environment_for(
            self._settings, PYTHONPATH=str(Path(__file__).parents[1]), FLOWER_BASIC_AUTH=LOGIN
        )
        others = self._listeners()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=log, env=environment, cwd=self._settings.home
            )
        try:
            self.wait_until_ready()
            # It answers before it listens, and would miss the beginning of a run that starts in between.
            eventually(lambda: self._listeners() > others, "Flower listens to the agents' events", READY_SECONDS)
        except AssertionError:
            self.stop()
            raise
        return self

    def _listeners(self) -> int:
        client = connect(self._onlooker)
        try:
            return int(client.pubsub_numpat())
        finally:
            client.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
