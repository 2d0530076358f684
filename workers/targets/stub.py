"""A target that only pretends: objects are files, and end when their time has come.

It keeps every promise of a real target (idempotent, survives the agent, shared by all agents of a machine), so tests
of the agent can kill and restart it, and benchmarks can measure everything but the platform.
"""

from __future__ import annotations

import heapq
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, ClassVar

from broker_config.errors import InvalidRequest, TemporaryError
from broker_config.frozen import parse
from broker_config.resources.stub import StubConfig
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets.exit_codes import failure_of
from workers.targets.protocol import LogChunk, Observation, Phase, Request, Workload


class StubTarget:
    """Objects in a folder that all agents of this machine share."""

    artifact: ClassVar[ArtifactKind] = ArtifactKind.IMAGE
    is_local = True

    def __init__(self, home: Path) -> None:
        self._folder = home / "stub"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._journal = self._folder / "submissions.log"
        self._due: list[tuple[float, str]] = []
        self._wake = threading.Condition()

    def render(self, workload: Workload) -> Request:
        try:
            config = parse(StubConfig, dict(workload.config), "queue config of resource stub")
        except InvalidRequest as error:
            raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, str(error)) from error
        return Request(
            workload.name,
            {
                **config.model_dump(mode="json"),
                "fails": workload.attempt <= config.fail_attempts,
                "command": workload.command,
                "image": workload.artifact.reference,
                "env": dict(workload.env),
            },
        )

    def submit(self, request: Request) -> None:
        content = json.dumps(
            {"digest": request.digest, "submitted": time.time(), "passport": request.passport, **request.body}
        )
        draft = self._draft(request.name, content)
        try:
            # A hard link appears with its whole content or not at all, and for one caller only.
            os.link(draft, self._path(request.name))
        except FileExistsError:
            held = self._placed(request.name)
            if held is not None and "released" not in held and held["digest"] != request.digest:
                raise RunFailed(
                    FailureClass.CONFIG, Reason.NAME_TAKEN, f"{request.name} exists with another request"
                ) from None
        else:
            with self._journal.open("a") as journal:
                journal.write(request.name + "\n")
        finally:
            draft.unlink()
        self._remember(request.name)

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        found = {name: self._read(name) for name in names}
        return {name: self._observation(name, held) for name, held in found.items() if held is not None}

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        changed(None)
        while not stop.is_set():
            with self._wake:
                now = time.time()
                due = []
                while self._due and self._due[0][0] <= now:
                    due.append(heapq.heappop(self._due)[1])
                if not due:
                    self._wake.wait(min(0.5, self._due[0][0] - now) if self._due else 0.5)
            for name in due:
                changed(name)

    def read_logs(self, name: str, position: str) -> LogChunk:
        held = self._read(name)
        start = int(position or 0)
        lines = held["lines"][start:] if held else []
        return LogChunk(lines, str(start + len(lines)))

    def cancel(self, name: str, grace_seconds: float) -> None:
        held = self._read(name)
        if held is None:
            return
        wish = self._folder / f"{name}.cancel"
        if not wish.exists():
            self._draft(name, str(time.time() + (grace_seconds if held["ignores_cancel"] else 0))).rename(wish)
        self._remember(name)

    def release(self, name: str) -> None:
        held = self._read(name)
        if held is not None and not self._observation(name, held).phase.is_end:
            raise TemporaryError(f"the stub {name} still runs; cancel it first")
        draft = self._draft(name, json.dumps({"released": time.time()}))
        try:
            if held is None:
                os.link(draft, self._path(name))
            else:
                draft.replace(self._path(name))
        except FileExistsError:
            if self._read(name) is not None:
                raise TemporaryError(f"the stub {name} was submitted in this moment") from None
        finally:
            draft.unlink(missing_ok=True)
        (self._folder / f"{name}.cancel").unlink(missing_ok=True)

    def released(self, older_than_seconds: float) -> Sequence[str]:
        until = time.time() - older_than_seconds
        return [name for name in self._names() if (self._placed(name) or {}).get("released", inf) <= until]

    def forget(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def inventory(self) -> Sequence[str]:
        return [name for name in self._names() if self._read(name) is not None]

    def passport(self, name: str) -> str:
        return str((self._read(name) or {}).get("passport", ""))

    def submissions(self) -> list[str]:
        """Names in the order in which objects were really made: what a test counts."""
        return self._journal.read_text().split() if self._journal.exists() else []

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _names(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.json")]

    def _draft(self, name: str, content: str) -> Path:
        draft = self._folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        draft.write_text(content)
        return draft

    def _read(self, name: str) -> dict[str, Any] | None:
        """The object of that name; None also when it was released."""
        placed = self._placed(name)
        return None if placed is None or "released" in placed else placed

    def _placed(self, name: str) -> dict[str, Any] | None:
        try:
            placed: dict[str, Any] = json.loads(self._path(name).read_text())
        except FileNotFoundError:
            return None
        return placed

    def _cancelled_at(self, name: str) -> float | None:
        try:
            return float((self._folder / f"{name}.cancel").read_text())
        except FileNotFoundError:
            return None

    def _remember(self, name: str) -> None:
        held = self._read(name)
        if held is None:
            return
        with self._wake:
            ends = [
                held["submitted"] + held.get("starting_seconds", 0) + held["seconds"],
                self._cancelled_at(name) or float("inf"),
            ]
            heapq.heappush(self._due, (time.time(), name))
            heapq.heappush(self._due, (min(ends), name))
            self._wake.notify()

    def _observation(self, name: str, held: dict[str, Any]) -> Observation:
        ends = held["submitted"] + held.get("starting_seconds", 0) + held["seconds"]
        cancelled = self._cancelled_at(name)
        if cancelled is not None and cancelled < ends and time.time() >= cancelled:
            how = ", by force because it did not end within its grace" if held["ignores_cancel"] else ""
            return Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, f"The stub was cancelled{how}.")
        if time.time() < held["submitted"] + held.get("starting_seconds", 0):
            self._remember_end(held["submitted"] + held.get("starting_seconds", 0), name)
            return Observation(Phase.STARTING, Reason.STARTING, "The stub is starting.")
        if time.time() < ends:
            self._remember_end(ends, name)
            return Observation(Phase.RUNNING, Reason.RUNNING, "The stub is running.")
        code = held["exit_code"] or int(held.get("fails", False))
        text = f"The stub ended with exit code {code}."
        if code:
            return Observation(
                Phase.FAILED, Reason.EXITED, text, code, FailureClass(held.get("failure") or failure_of(code))
            )
        return Observation(Phase.SUCCEEDED, Reason.EXITED, text, code)

    def _remember_end(self, ends: float, name: str) -> None:
        # An adopted object was submitted by an agent that is gone, so this instance does not know when it ends.
        with self._wake:
            if (ends, name) not in self._due:
                heapq.heappush(self._due, (ends, name))
                self._wake.notify()
