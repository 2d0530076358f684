"""The kubernetes target: objects of any kind that has pods, in as many clusters and namespaces as queues name."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError, LaunchyardError, TemporaryError
from broker_config.findings import Finding, error
from broker_config.states import Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.kubernetes.cluster import Refused
from workers.kubernetes.resource import PODS
from workers.targets.kubernetes import beside
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.keeping import seconds
from workers.targets.kubernetes.kinds import kind_of
from workers.targets.kubernetes.marks import Mark
from workers.targets.kubernetes.places import Place, Places
from workers.targets.kubernetes.rehearsal import rehearse
from workers.targets.kubernetes.render import place_of, render
from workers.targets.kubernetes.scope import selector_of
from workers.targets.kubernetes.search import search
from workers.targets.kubernetes.sending import PASSPORT, create
from workers.targets.protocol import LogChunk, Observation, Phase, Request, Unanswered, Unlisted, Workload

CANCELLED = Observation(
    Phase.CANCELLED,
    Reason.CANCELLED_BY_USER,
    "The object was deleted; its pods were ended by force where they did not end within their grace.",
)


class KubernetesTarget:
    """What is known of the objects is in the clusters alone, so any agent can take them up."""

    artifact = ArtifactKind.IMAGE
    is_local = False

    def __init__(self, home: Path) -> None:
        self._changed: Callable[[str | None], None] = lambda _: None
        self._places = Places(home, self._tell)

    def render(self, workload: Workload) -> Request:
        return render(workload)

    def _tell(self, name: str | None) -> None:
        self._changed(name)

    def submit(self, request: Request) -> None:
        handle = Handle.parse(request.name)
        place = self._places.of(handle)
        if place.marks.has(handle, Mark.RELEASED):
            return
        made = create(place, request)
        # A release makes its mark before it looks for the object. So whoever was late, and has made it anew, finds the
        # mark here; and whoever finds none has an object that the release is still to find.
        if place.marks.has(handle, Mark.RELEASED):
            place.delete(made)
        else:
            place.scope.put(place.resource, made)

    def rehearse(self, request: Request) -> Sequence[Finding]:
        try:
            return rehearse(self._places.of(Handle.parse(request.name)), request)
        except RunFailed as refused:
            return [error("", str(refused))]

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        seen: dict[str, Observation] = {}
        places, silent = self._by_place(names)
        for place, handles in places.items():
            try:
                seen |= _seen(place, handles)
            except (TemporaryError, Refused) as error:
                # Another cluster's runs go on.
                silent |= dict.fromkeys(handles, str(error))
        if silent:
            raise Unanswered(seen, silent)
        return seen

    def _by_place(self, names: Sequence[str]) -> tuple[Mapping[Place, Mapping[str, Handle]], dict[str, str]]:
        """The handles at each place; and of those whose place cannot be told, why not."""
        handles: defaultdict[Handle, dict[str, Handle]] = defaultdict(dict)
        for name in names:
            handle = Handle.parse(name)
            handles[replace(handle, run="", name="")][name] = handle
        found: dict[Place, Mapping[str, Handle]] = {}
        silent: dict[str, str] = {}
        for where, those in handles.items():
            try:
                found[self._places.of(where)] = those
            except Refused as error:
                if not error.is_not_found:
                    silent |= dict.fromkeys(those, str(error))
            except (TemporaryError, ConfigError) as error:
                silent |= dict.fromkeys(those, str(error))
        return found, silent

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self._changed = changed
        self._places.watch()
        changed(None)
        stop.wait()
        self._places.stop()

    def read_logs(self, name: str, position: str) -> LogChunk:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        pods = place.scope.pods_of(handle.run)
        if pods:
            return place.logs.read(handle.run, pods, position, lambda: bool(self._end_of(name)))
        # They may not be told of yet. Those that are there after the end are all that there were.
        has_ended = bool(self._end_of(name))
        if has_ended:
            pods = place.scope.pods_of(handle.run)
        return place.logs.read(handle.run, pods, position, lambda: has_ended)

    def cancel(self, name: str, grace_seconds: float) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        found = place.find(handle)
        if found is None or found["metadata"].get("deletionTimestamp") or self._end_of(name):
            return
        place.marks.put(handle, Mark.CANCELLED)
        place.logs.hold(handle.run, place.scope.pods_of(handle.run))
        replaces_pods = kind_of(found).replaces_pods
        if replaces_pods:
            place.delete(found, pods_first=True)
        # Before a Job's own deletion, which gives them the grace of their spec. That can only be cut short afterwards.
        options = {"gracePeriodSeconds": round(grace_seconds)}
        place.cluster.delete(PODS.path(place.namespace), {"labelSelector": selector_of(handle.run)}, options)
        if not replaces_pods:
            place.delete(found, pods_first=True)

    def _end_of(self, name: str) -> Observation | None:
        seen = self.observe([name]).get(name)
        return seen if seen is not None and seen.phase.is_end else None

    def release(self, name: str) -> None:
        handle = Handle.parse(name)
        place = self._places.of(handle)
        found = place.find(handle)
        end = self._end_of(name) if found is not None else None
        if found is not None and not found["metadata"].get("deletionTimestamp") and end is None:
            raise TemporaryError(f"{handle.name} still runs in namespace {place.namespace}; cancel it first")
        place.marks.put(handle, Mark.RELEASED)
        if (found := place.find(handle)) is not None:
            beside.remove(place, found)
            keep = seconds(found, has_succeeded=end is not None and end.phase is Phase.SUCCEEDED)
            if keep is None or not place.leave(found, keep):
                place.delete(found)
        place.marks.remove(handle, Mark.CANCELLED)
        place.logs.drop(handle.run)
        place.scope.drop(place.resource, handle.run)

    def released(self, older_than_seconds: float) -> Sequence[str]:
        places, _ = self._places.all()
        marks = {(place.cluster, place.namespace): place.marks for place in places}
        found: list[str] = []
        for one in marks.values():
            # Those of a cluster that is silent stay taken for longer.
            with suppress(LaunchyardError):
                found += one.handles(Mark.RELEASED, older_than_seconds)
        return found

    def forget(self, name: str) -> None:
        handle = Handle.parse(name)
        self._places.of(handle).marks.remove(handle, Mark.RELEASED)

    def inventory(self) -> Sequence[str]:
        places, unknown = self._places.all()
        silent = list(unknown)
        found: set[str] = set()
        for place in places:
            try:
                found |= {*place.handles()}
            except LaunchyardError as error:
                silent.append(str(error))
        if silent:
            raise Unlisted(sorted(found), silent)
        return sorted(found)

    def learn(self, config: Mapping[str, Any]) -> None:
        if (handle := place_of(config)) is not None:
            self._places.of(handle)

    def search(self) -> Sequence[str]:
        return [*search(self._places)]

    def passport(self, name: str) -> str:
        handle = Handle.parse(name)
        found = self._places.of(handle).find(handle)
        return str((found["metadata"].get("annotations") or {}).get(PASSPORT, "")) if found is not None else ""


def _seen(place: Place, handles: Mapping[str, Handle]) -> Mapping[str, Observation]:
    """What one place says of its objects."""
    found = place.scope.observe(place.resource, {one.run: one.name for one in handles.values()})
    seen = {name: found[one.run] for name, one in handles.items() if one.run in found}
    gone = {name: one for name, one in handles.items() if name not in seen}
    return seen | {name: CANCELLED for name, one in gone.items() if place.marks.has(one, Mark.CANCELLED)}
