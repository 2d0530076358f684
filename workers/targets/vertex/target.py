"""The vertex target: custom jobs of Vertex AI, in as many projects and locations as queues name."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError, LaunchyardError, TemporaryError
from broker_config.resources.vertex import VertexResource
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.config.cloud import Environment, GcpEnvironment
from workers.failures import RunFailed
from workers.targets.neighbours import Limits
from workers.targets.pace import Bounds
from workers.targets.protocol import LogChunk, Observation, Permissions, Request, Unanswered, Unlisted, Workload
from workers.targets.push import Push
from workers.targets.vertex import vault
from workers.targets.vertex.events import Events
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.marks import Mark
from workers.targets.vertex.places import Place, Places
from workers.targets.vertex.render import place_of, render
from workers.targets.vertex.rights import missing, policy
from workers.targets.vertex.sending import create, passport_of

BOUNDS = Bounds()
"""How often Vertex AI is asked, where nobody says otherwise."""


class VertexTarget:
    """What is known of the jobs is at Google Cloud alone, so any agent can take them up."""

    artifact = ArtifactKind.IMAGE
    is_local = False
    grace_seconds = None

    def __init__(self, home: Path, bounds: Bounds | None = None) -> None:
        self._changed: Callable[[str | None], None] = lambda _: None
        self._places = Places(home, self._tell, bounds or BOUNDS)
        self._subscriptions: Sequence[str] = ()  # of Pub/Sub

    def locate(self, environment: Environment | None) -> None:
        if isinstance(environment, GcpEnvironment):
            self._places.environment = environment

    def share(self, limits: Limits) -> None:
        self._places.limits = limits

    def notify(self, addresses: Sequence[str]) -> None:
        self._subscriptions = [name for name in addresses if name.startswith("projects/")]

    def permissions(self, request: Request) -> Permissions:
        place, events = self._places.of(Handle.parse(request.name)), self._events()
        return Permissions(policy(place, request, events), missing(place, request, events))

    def render(self, workload: Workload) -> Request:
        # What the client would refuse to send is the queue's fault, and is told before anything is built or submitted.
        errors = [one for one in VertexResource().check(workload.config) if one.is_error]
        if errors:
            text = "; ".join(f"{one.pointer or '/'}: {one.text}" for one in errors)
            raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, f"queue config of resource vertex: {text}")
        return render(workload)

    def _tell(self, name: str) -> None:
        self._changed(name)

    def submit(self, request: Request) -> None:
        handle = Handle.parse(request.name)
        place = self._places.of(handle)
        if place.marks.has(handle, Mark.RELEASED):
            # By another agent, maybe, of which this one knows nothing.
            place.listing.drop(handle.run)
            return
        create(place, request)
        # A release makes its mark before it looks for the job. So whoever was late, and has made it anew, finds the
        # mark here; and whoever finds none has a job that the release is still to find.
        if place.marks.has(handle, Mark.RELEASED):
            for job in place.jobs.of_run(handle.run):
                place.jobs.cancel(job)
            vault.drop(place.secrets, handle.run)
            place.listing.drop(handle.run)

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        seen: dict[str, Observation] = {}
        places, silent = self._by_place(names)
        for place, those in places.items():
            try:
                found = place.listing.observe(list(those))
            except TemporaryError as error:
                # Another project's runs go on.
                silent |= dict.fromkeys(those.values(), str(error))
            else:
                seen |= {those[run]: observation for run, observation in found.items()}
        if silent:
            raise Unanswered(seen, silent)
        return seen

    def _by_place(self, names: Sequence[str]) -> tuple[Mapping[Place, Mapping[str, str]], dict[str, str]]:
        """By place and run, the names; and of those whose place cannot be told, why not."""
        found: defaultdict[Place, dict[str, str]] = defaultdict(dict)
        silent: dict[str, str] = {}
        for name in names:
            handle = Handle.parse(name)
            try:
                found[self._places.of(handle)][handle.run] = name
            except (TemporaryError, ConfigError) as error:
                silent[name] = str(error)
        return found, silent

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self._changed = changed
        self._places.watch()
        limits = self._places.limits
        pushes = [Push(events.name, events, limits) for events in self._events()] if limits else []
        for push in pushes:
            push.follow()
        changed(None)
        stop.wait()
        for push in pushes:
            push.stop()
        self._places.stop()

    def _events(self) -> Sequence[Events]:
        return [Events(name, self._places.of_project) for name in self._subscriptions]

    def read_logs(self, name: str, position: str) -> LogChunk:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        seen = self.observe([name])
        job = place.listing.job(handle.run)
        if not seen or job is None:
            return LogChunk((), position)
        return place.logs.read(job, position)

    def cancel(self, name: str, grace_seconds: float) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        live = [job for job in place.jobs.of_run(handle.run) if not job.has_ended]
        if not live:
            return
        # Before the wish itself: whoever sees the end has to know whose wish it was.
        place.marks.put(handle, Mark.CANCELLED)
        for job in live:
            place.jobs.cancel(job)
        place.listing.poll.hurry()

    def release(self, name: str) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        if any(not job.has_ended for job in place.jobs.of_run(handle.run)):
            raise TemporaryError(f"Vertex AI's job of {handle.run} still runs; cancel it first")
        place.marks.put(handle, Mark.RELEASED)
        for job in place.jobs.of_run(handle.run):
            if not job.has_ended:
                raise TemporaryError(f"Vertex AI's job of {handle.run} was made in this moment, and still runs")
            place.jobs.delete(job)
            place.logs.drop(job)
        vault.drop(place.secrets, handle.run)
        place.marks.remove(handle, Mark.CANCELLED)
        place.listing.drop(handle.run)

    def released(self, older_than_seconds: float) -> Sequence[str]:
        places, _ = self._places.all()
        found: dict[str, None] = {}
        for place in places:
            # Those of a project that is silent stay taken for longer.
            with suppress(LaunchyardError):
                found |= dict.fromkeys(place.marks.handles(Mark.RELEASED, older_than_seconds))
        return list(found)

    def forget(self, name: str) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        for job in place.jobs.of_run(handle.run):
            # Of an agent that came too late, and has cancelled it.
            if job.has_ended:
                place.jobs.delete(job)
        place.marks.remove(handle, Mark.RELEASED)

    def inventory(self) -> Sequence[str]:
        places, unknown = self._places.all()
        silent = list(unknown)
        found: dict[str, str] = {}
        for place in places:
            try:
                # Two queues may name one project in two ways.
                found = place.handles() | found
            except LaunchyardError as error:
                silent.append(str(error))
        if silent:
            raise Unlisted(sorted({*found.values()}), silent)
        return sorted({*found.values()})

    def learn(self, config: Mapping[str, Any]) -> None:
        if (where := place_of(config)) is not None:
            self._places.of(where)

    def search(self) -> Sequence[str]:
        # Projects that no queue names cannot be listed.
        return ()

    def passport(self, name: str) -> str:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        for job in place.jobs.of_run(handle.run)[:1]:
            said = place.jobs.find(job)
            return passport_of(said) if said is not None else ""
        return ""
