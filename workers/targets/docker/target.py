"""The docker target: containers that carry the run's name, on the engine that this agent uses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets.docker import endings, images
from workers.targets.docker.containers import Containers, Created
from workers.targets.docker.engine import Engine
from workers.targets.docker.events import Events
from workers.targets.docker.inside import bring_code, with_secrets
from workers.targets.docker.installing import INSTALLS, failed_install
from workers.targets.docker.logs import Logs
from workers.targets.docker.marks import Mark, Marks
from workers.targets.docker.render import MANAGED, PASSPORT, REQUEST_DIGEST, render
from workers.targets.protocol import LogChunk, Observation, Phase, Request, Workload

MAKERS_SECONDS = 2.0
"""How long whoever made a container has for its start, before another agent takes it for left behind."""

APPEARANCE_SECONDS = 5.0
_LOOK_SECONDS = 0.1


class DockerTarget:
    """Containers of one engine. What is known of them is in the engine alone, so any agent can take them up."""

    artifact = ArtifactKind.IMAGE
    is_local = True

    def __init__(self, home: Path) -> None:
        self._engine = Engine()
        self._containers = Containers(self._engine)
        self._marks = Marks(self._engine)
        self._events = Events(self._engine)
        self._logs = Logs(self._engine)

    def render(self, workload: Workload) -> Request:
        return render(workload)

    def submit(self, request: Request) -> None:
        held = self._containers.inspect(request.name)
        if held is None:
            held = self._made(request)
        if held is None or self._is_left_unstarted(held, request):
            if "code" in request.body:
                bring_code(self._engine, request.name, Path(request.body["code"]))
            self._start(request.name)

    def _start(self, name: str) -> None:
        # A release makes its mark before it removes the container. So whoever was late, and has made it anew, finds
        # the mark here; and whoever finds none has a container that the release is still to find.
        if self._marks.has(name, Mark.RELEASED):
            self._containers.remove(name, only_if_stopped=True)
        else:
            self._containers.start(name)

    def _is_left_unstarted(self, held: Mapping[str, Any], request: Request) -> bool:
        """Whether a container that exists is still to be started.

        One that runs, or has run, is not: an agent that died before it wrote that down must not run the job twice. As
        docker starts an ended container again when told to, whoever made it comes first, and has a moment to start it.
        """
        _check_is_ours(held, request)
        deadline = time.monotonic() + MAKERS_SECONDS
        while _status(held) == "created":
            if time.monotonic() >= deadline:
                return True
            time.sleep(_LOOK_SECONDS)
            again = self._containers.inspect(request.name)
            if again is None:
                raise TemporaryError(f"container {request.name} was removed while it was being adopted")
            held = again
        return False

    def _made(self, request: Request) -> Mapping[str, Any] | None:
        """Create the container; returns the one that another agent created in this moment, if one did."""
        image = request.body["container"]["Image"]
        if request.body["pull"] == "always":
            self._pull(request)
        outcome = self._create(request)
        if outcome is Created.IMAGE_MISSING:
            if request.body["pull"] == "never":
                raise images.unavailable(image, "the engine does not have it, and the queue config says pull: never")
            self._pull(request)
            outcome = self._create(request)
        if outcome is Created.MADE:
            return None
        return self._appeared(request.name)

    def _pull(self, request: Request) -> None:
        image = request.body["container"]["Image"]
        images.pull(self._engine, image, request.body.get("platform"), request.login(image))

    def _appeared(self, name: str) -> Mapping[str, Any]:
        """The container that another agent is making: the engine gives its name away before it shows it."""
        deadline = time.monotonic() + APPEARANCE_SECONDS
        while (held := self._containers.inspect(name)) is None:
            if time.monotonic() >= deadline:
                raise TemporaryError(f"container {name} is being made by another agent, or was removed a moment ago")
            time.sleep(_LOOK_SECONDS)
        return held

    def _create(self, request: Request) -> Created:
        container = with_secrets(request.body["container"], request.body.get("secrets", ()))
        container["Labels"] = {**container["Labels"], REQUEST_DIGEST: request.digest, PASSPORT: request.passport}
        return self._containers.create(request.name, container, request.body.get("platform"))

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        wanted = set(names)
        seen: dict[str, Observation] = {}
        if not wanted:
            return seen
        for entry in self._containers.listed(wanted):
            for name in wanted.intersection(path.removeprefix("/") for path in entry["Names"]):
                live = endings.LIVE.get(entry["State"])
                observation = live or self._end(name)
                if observation is not None:
                    seen[name] = observation
        return seen

    def _end(self, name: str) -> Observation | None:
        # The list call has no exit code, and does not say whether memory ran out.
        found = self._containers.inspect(name)
        if found is None:
            return None
        seen = endings.ended(found, self._marks.has(name, Mark.CANCELLED))
        if seen.phase is Phase.FAILED and INSTALLS in _labels(found):
            return failed_install(self._engine, name, found["State"]["ExitCode"]) or seen
        return seen

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self._events.follow(changed, stop)

    def read_logs(self, name: str, position: str) -> LogChunk:
        return self._logs.read(name, position, lambda: self._has_ended(name))

    def _has_ended(self, name: str) -> bool:
        found = self._containers.inspect(name)
        return found is None or _status(found) not in endings.LIVE

    def cancel(self, name: str, grace_seconds: float) -> None:
        status = self._status_of_ours(name)
        if status == "created":
            # Never started, so there is nothing to stop. If it starts in this moment, it is not removed but stopped.
            self._containers.remove(name, only_if_stopped=True)
            status = self._status_of_ours(name)
        if status not in endings.LIVE:
            return
        is_new = not self._marks.has(name, Mark.CANCELLED)
        self._marks.put(name, Mark.CANCELLED)
        if not self._containers.stop(name, grace_seconds) and is_new:
            # It had ended by itself just before.
            self._marks.remove(name, Mark.CANCELLED)

    def release(self, name: str) -> None:
        self._marks.put(name, Mark.RELEASED)
        if self._status_of_ours(name) is not None:
            self._containers.remove(name)
        self._marks.remove(name, Mark.CANCELLED)

    def released(self, older_than_seconds: float) -> Sequence[str]:
        return self._marks.names(Mark.RELEASED, older_than_seconds)

    def forget(self, name: str) -> None:
        self._marks.remove(name, Mark.RELEASED)

    def inventory(self) -> Sequence[str]:
        return [path.removeprefix("/") for entry in self._containers.all() for path in entry["Names"]]

    def passport(self, name: str) -> str:
        found = self._containers.inspect(name)
        return _labels(found).get(PASSPORT, "") if found is not None else ""

    def _status_of_ours(self, name: str) -> str | None:
        """Docker's status; `None` if there is no such container, or it is somebody else's."""
        found = self._containers.inspect(name)
        if found is None or MANAGED not in _labels(found):
            return None
        return _status(found)


def _status(found: Mapping[str, Any]) -> str:
    status: str = found["State"]["Status"]
    return status


def _labels(found: Mapping[str, Any]) -> Mapping[str, str]:
    return found["Config"].get("Labels") or {}


def _check_is_ours(held: Mapping[str, Any], request: Request) -> None:
    digest = _labels(held).get(REQUEST_DIGEST)
    if digest == request.digest:
        return
    whose = "with another request" if digest else "and was not made by Launchyard"
    raise RunFailed(
        FailureClass.CONFIG,
        Reason.NAME_TAKEN,
        f"container {request.name} exists {whose}; look at it with: docker inspect {request.name}; once it is removed, "
        "launch the run again",
    )
