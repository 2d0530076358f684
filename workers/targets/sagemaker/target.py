"""The sagemaker target: training and processing jobs, in as many accounts and regions as queues name."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from broker_config.errors import LaunchyardError, TemporaryError
from broker_config.resources.sagemaker import SageMakerResource
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.config.cloud import AwsEnvironment, Environment
from workers.failures import RunFailed
from workers.targets.neighbours import Limits
from workers.targets.pace import Bounds
from workers.targets.protocol import (
    LogChunk,
    Observation,
    Permissions,
    Phase,
    Request,
    Unanswered,
    Unlisted,
    Workload,
)
from workers.targets.push import Push
from workers.targets.sagemaker import vault
from workers.targets.sagemaker.events import Events
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.marks import CANCELLED, MANAGED, RELEASED, is_released, passport_of
from workers.targets.sagemaker.places import Place, Places
from workers.targets.sagemaker.render import place_of, render
from workers.targets.sagemaker.rights import missing, policy
from workers.targets.sagemaker.sending import create
from workers.targets.sagemaker.states import STOP_SECONDS

BOUNDS = Bounds()
"""How often SageMaker is asked, where nobody says otherwise."""


class SageMakerTarget:
    """What is known of the jobs is at AWS alone, so any agent can take them up."""

    artifact = ArtifactKind.IMAGE
    is_local = False
    grace_seconds = STOP_SECONDS

    def __init__(self, home: Path, bounds: Bounds | None = None) -> None:
        self._changed: Callable[[str | None], None] = lambda _: None
        self._places = Places(home, self._tell, bounds or BOUNDS)
        self._queues: Sequence[str] = ()  # of SQS

    def locate(self, environment: Environment | None) -> None:
        if isinstance(environment, AwsEnvironment):
            self._places.region = environment.region

    def share(self, limits: Limits) -> None:
        self._places.limits = limits

    def notify(self, addresses: Sequence[str]) -> None:
        self._queues = [url for url in addresses if url.startswith("http")]

    def permissions(self, request: Request) -> Permissions:
        place, events = self._places.of(Handle.parse(request.name)), self._events()
        return Permissions(policy(place, request, events), missing(place, request, events))

    def render(self, workload: Workload) -> Request:
        # What the SDK would refuse to send is the queue's fault, and is told before anything is built or submitted.
        errors = [one for one in SageMakerResource().check(workload.config) if one.is_error]
        if errors:
            text = "; ".join(f"{one.pointer or '/'}: {one.text}" for one in errors)
            raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, f"queue config of resource sagemaker: {text}")
        return render(workload)

    def _tell(self, name: str) -> None:
        self._changed(name)

    def submit(self, request: Request) -> None:
        handle = Handle.parse(request.name)
        place = self._places.of(handle)
        if place.unborn.has(handle):
            return
        create(place, request)
        # A release keeps the name before it looks for the job. So whoever was late, and has made it all the same,
        # finds that here; and whoever finds nothing has a job that the release is still to find.
        if place.unborn.has(handle):
            place.jobs.stop(handle.name)
            self._let_go(place, handle)

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        seen: dict[str, Observation] = {}
        silent: dict[str, str] = {}
        places: defaultdict[Place, dict[str, str]] = defaultdict(dict)
        for name in names:
            handle = Handle.parse(name)
            places[self._places.of(handle)][handle.name] = name
        for place, those in places.items():
            try:
                found = place.listing.observe(list(those))
            except TemporaryError as error:
                # Another account's runs go on.
                silent |= dict.fromkeys(those.values(), str(error))
            else:
                seen |= {those[name]: observation for name, observation in found.items()}
        if silent:
            raise Unanswered(seen, silent)
        return seen

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self._changed = changed
        self._places.watch()
        limits = self._places.limits
        pushes = [Push(events.url, events, limits) for events in self._events()] if limits else []
        for push in pushes:
            push.follow()
        changed(None)
        stop.wait()
        for push in pushes:
            push.stop()
        self._places.stop()

    def _events(self) -> Sequence[Events]:
        return [Events(url, self._places.region) for url in self._queues]

    def read_logs(self, name: str, position: str) -> LogChunk:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        seen = self.observe([name]).get(name)
        job = place.listing.job(handle.name)
        if seen is None or job is None:
            return LogChunk((), position)
        if seen.phase is Phase.STARTING and not position:
            # There is no container yet.
            return LogChunk((), position, requests=0)
        return place.logs.read(job, position)

    def cancel(self, name: str, grace_seconds: float) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        found = place.find(handle)
        if found is None:
            return
        job, tags = found
        if job.has_ended or (job.is_stopping and CANCELLED in tags):
            return
        # Before the wish itself: whoever sees the end has to know whose wish it was.
        place.jobs.tag(job, CANCELLED, "true")
        place.jobs.stop(job.name)
        place.listing.poll.hurry()

    def release(self, name: str) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        job = place.jobs.find(handle.name)
        if job is None:
            place.unborn.put(handle)
            job = place.jobs.find(handle.name)
        if job is not None and not job.has_ended:
            raise TemporaryError(f"SageMaker's job {handle.name} still runs; cancel it first")
        if job is None or job.has_secret:
            # Where there is no job, its agent may have ended between the two.
            vault.drop(place.account, handle.run)
        if job is not None and not is_released(place.jobs.tags(job)):
            # SageMaker keeps the job, and its name, for good.
            place.jobs.tag(job, MANAGED, RELEASED)
        self._let_go(place, handle)

    def _let_go(self, place: Place, handle: Handle) -> None:
        place.listing.drop(handle.name)
        place.logs.drop(handle.name)

    def released(self, older_than_seconds: float) -> Sequence[str]:
        found: dict[str, None] = {}
        for place in self._places.all():
            # Those of a region that is silent stay taken for longer.
            with suppress(LaunchyardError):
                found |= dict.fromkeys(place.unborn.handles(older_than_seconds))
        return list(found)

    def forget(self, name: str) -> None:
        handle = Handle.parse(name)
        self._places.of(handle).unborn.remove(handle)

    def inventory(self) -> Sequence[str]:
        found: dict[str, str] = {}
        silent: list[str] = []
        for place in self._places.all():
            try:
                # Two queues may name one region in two ways.
                found = place.handles() | found
            except LaunchyardError as error:
                silent.append(str(error))
        if silent:
            raise Unlisted(sorted(found.values()), silent)
        return sorted(found.values())

    def learn(self, config: Mapping[str, Any]) -> None:
        if (where := place_of(config)) is not None:
            self._places.of(where)

    def search(self) -> Sequence[str]:
        # Accounts and regions that no queue names cannot be listed.
        return ()

    def passport(self, name: str) -> str:
        handle = Handle.parse(name)
        found = self._places.of(handle).find(handle)
        return passport_of(found[1]) if found else ""
