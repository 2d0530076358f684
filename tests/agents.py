"""Real agents as processes, for tests that start, stop and kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from broker_config.settings import Settings, environment_for
from broker_config.store import Store

READY_SECONDS = 60.0
STOP_SECONDS = 60.0


def eventually(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until the condition holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


class AgentProcess:
    """`celery -A workers worker` with the settings of a test."""

    app = "workers"
    """What `celery -A` is given."""

    def __init__(self, settings: Settings, *queues: str, max_jobs: int = -1, name: str = "agent@test") -> None:
        self._settings = settings
        self._arguments = ["-Q", ",".join(queues), "--max-jobs", str(max_jobs), "-n", name]
        self.name = name
        self.log = settings.home / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> AgentProcess:
        """Start, and wait until it serves its queues."""
        self.spawn(*more)
        store = Store(self._settings)
        try:
            eventually(lambda: self._is_announced(store), f"agent {self.name} is ready; see its log", READY_SECONDS)
        finally:
            store.close()
        return self

    def spawn(self, *more: str) -> subprocess.Popen[bytes]:
        """Start, and do not wait."""
        command = [sys.executable, "-m", "celery", "-A", self.app, "worker", "-l", "INFO", "--without-mingle"]
        environment = environment_for(self._settings, PYTHONPATH=str(Path(__file__).parents[1]))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments, *more], stdout=log, stderr=log, env=environment, start_new_session=True
            )
        return self._process

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator does. Returns its exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(STOP_SECONDS)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            os.kill(self._process.pid, number)
        return self._process.wait(STOP_SECONDS)

    def _is_announced(self, store: Store) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        return any(info.name == self.name and info.pid == self.pid for info, alive in store.agents.list() if alive)
