"""Jobs as processes on the agent's own machine."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import ClassVar

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets import output
from workers.targets.local_process import config, endings, supervisor
from workers.targets.local_process.exits import ExitWatch
from workers.targets.local_process.folder import ProcessFolder
from workers.targets.local_process.start import start_supervisor
from workers.targets.protocol import LogChunk, Observation, Request, Workload


class LocalProcessTarget:
    """Each job is a process under a supervisor of its own; both outlive the agent.

    What is known of a job is in `<home>/processes/<name>/`, for all agents of this machine.
    """

    artifact: ClassVar[ArtifactKind] = ArtifactKind.ENVIRONMENT
    is_local = True

    def __init__(self, home: Path) -> None:
        self._folder = home / "processes"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._exits = ExitWatch()
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def render(self, workload: Workload) -> Request:
        return config.render(workload)

    def submit(self, request: Request) -> None:
        folder = self._process(request.name)
        try:
            placed = folder.place(request)
            if placed != request.digest:
                raise RunFailed(
                    FailureClass.CONFIG,
                    Reason.NAME_TAKEN,
                    f"the process {request.name} exists already on this machine with another request",
                )
            child = None if folder.is_claimed else start_supervisor(folder, request.body["inherit_env"])
        except OSError as error:
            raise TemporaryError(f"the process {request.name} could not be started: {error}") from error
        if child is not None:
            with self._lock:
                self._children[request.name] = child
        self._exits.add(request.name, folder)

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        found = {name: self._observe(name) for name in names}
        return {name: observation for name, observation in found.items() if observation is not None}

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self._exits.run(changed, stop)

    def read_logs(self, name: str, position: str) -> LogChunk:
        folder = self._process(name)
        # Asked first: what was written until then is what there is.
        is_over = folder.is_over
        return output.read(folder.path / supervisor.OUTPUT, position, is_over)

    def cancel(self, name: str, grace_seconds: float) -> None:
        try:
            self._process(name).wish_cancelled(grace_seconds)
        except OSError as error:
            raise TemporaryError(f"the wish to cancel {name} could not be written: {error}") from error

    def release(self, name: str) -> None:
        try:
            is_over = self._process(name).release()
        except OSError as error:
            raise TemporaryError(f"the process {name} could not be released: {error}") from error
        if not is_over:
            raise TemporaryError(f"the process {name} still runs; cancel it first")
        self._reap(name)

    def released(self, older_than_seconds: float) -> Sequence[str]:
        until = time.time() - older_than_seconds
        return [path.name for path in self._folder.iterdir() if (ProcessFolder(path).released_at or inf) <= until]

    def forget(self, name: str) -> None:
        self._process(name).remove()

    def inventory(self) -> Sequence[str]:
        return [path.name for path in self._folder.iterdir() if ProcessFolder(path).released_at is None]

    def passport(self, name: str) -> str:
        return self._process(name).passport

    def _process(self, name: str) -> ProcessFolder:
        return ProcessFolder(self._folder / name)

    def _observe(self, name: str) -> Observation | None:
        folder = self._process(name)
        if folder.released_at is not None:
            return None
        if (end := folder.end()) is not None:
            self._reap(name)
            return endings.observation(end)
        if not folder.is_claimed:
            return None
        # Also those that an agent before this one submitted.
        self._exits.add(name, folder)
        return endings.RUNNING if folder.has_started else endings.STARTING

    def _reap(self, name: str) -> None:
        """Take leave of a supervisor that is our child, or it would stay in the process table."""
        with self._lock:
            child = self._children.get(name)
            if child is not None and child.poll() is not None:
                del self._children[name]
