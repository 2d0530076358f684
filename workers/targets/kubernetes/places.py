"""Where objects are: kinds in namespaces of clusters, each watched once however many queues and runs go there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from broker_config.errors import LaunchyardError
from workers.kubernetes.cluster import MERGE_PATCH, Cluster
from workers.kubernetes.probe import Probe
from workers.kubernetes.resource import Resource
from workers.kubernetes.room import Room
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.kinds import kind_of
from workers.targets.kubernetes.logs import Logs
from workers.targets.kubernetes.manifest import HANDLE, PREFIX
from workers.targets.kubernetes.marks import Mark, Marks
from workers.targets.kubernetes.pods import Object
from workers.targets.kubernetes.scope import MANAGED, Scope


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One kind in one namespace of a cluster."""

    cluster: Cluster
    namespace: str
    resource: Resource
    scope: Scope
    marks: Marks
    logs: Logs

    def path(self, name: str) -> str:
        """Of one object."""
        return self.resource.path(self.namespace, name)

    def find(self, handle: Handle) -> Object | None:
        """An object as it is now; None when it is gone, or somebody else's."""
        found = self.cluster.find(self.path(handle.name))
        labels = (found["metadata"].get("labels") or {}) if found is not None else {}
        return found if f"{PREFIX}managed" in labels else None

    def delete(self, found: Object, *, pods_first: bool = False) -> None:
        """Delete this very object, and what it owns: at last, or first, while the object stays to be seen."""
        policy = "Foreground" if pods_first else "Background"
        options = {"propagationPolicy": policy, "preconditions": {"uid": found["metadata"]["uid"]}}
        self.cluster.delete(self.path(found["metadata"]["name"]), options=options)

    def leave(self, found: Object, seconds: int) -> bool:
        """Leave an object that has ended to its controller, to be removed after a time; False where none does that."""
        if not (path := kind_of(found).clean_up):
            return False
        value = {"secondsAfterCompletion": seconds} if path.endswith("ttlStrategy") else seconds
        # Without the label it is none of ours any more.
        self._patch(found, {**_nested(path, value), "metadata": {"labels": {f"{PREFIX}managed": None}}})
        return True

    def let_go(self, found: Object) -> None:
        """Have an object start that is held."""
        self._patch(found, _nested(kind_of(found).suspend, value=False))

    def _patch(self, found: Object, patch: Object) -> None:
        self.cluster.call("PATCH", self.path(found["metadata"]["name"]), body=patch, content_type=MERGE_PATCH)

    def handles(self) -> Iterator[str]:
        """Of all our objects that were not released, those that were cancelled and are gone included."""
        for one in self.cluster.listed(self.resource.path(self.namespace), MANAGED):
            yield (one["metadata"].get("annotations") or {}).get(HANDLE, one["metadata"]["name"])
        yield from self.marks.handles(Mark.CANCELLED, 0)


class Places:
    """All places that this agent has come to know. They are remembered, for what is left there when it starts anew."""

    def __init__(self, home: Path, changed: Callable[[str | None], None]) -> None:
        self._memory = home / "kubernetes-places"  # an empty file each, as several agents share a home
        self._changed = changed
        self._lock = threading.RLock()
        self._clusters: dict[tuple[str, str], Cluster] = {}
        self._rooms: dict[Cluster, Room] = {}
        self._probes: dict[Cluster, Probe] = {}
        self._scopes: dict[tuple[Cluster, str], tuple[Scope, Marks, Logs]] = {}
        self._places: dict[tuple[str, ...], Place] = {}
        self._is_watching = False

    def of(self, handle: Handle) -> Place:
        """The place of an object.

        Raises:
            Refused: when its cluster has no such kind.
            ConfigError: when there is no such cluster.
            TemporaryError: when it does not answer.
        """
        key = (handle.config_file, handle.context, handle.namespace, handle.api_version, handle.kind)
        with self._lock:
            if key in self._places:
                return self._places[key]
            cluster = self._cluster(handle)
        # Without the lock: nobody is to wait here for another cluster than his own.
        self._probes[cluster].expect_answer()
        resource = cluster.resource(handle.api_version, handle.kind)
        with self._lock:
            if key not in self._places:
                self._places[key] = self._made(handle, cluster, resource)
                self._memory.mkdir(parents=True, exist_ok=True)
                (self._memory / quote(str(replace(handle, run="", name="")), safe="")).touch()
            return self._places[key]

    def all(self) -> tuple[Sequence[Place], Sequence[str]]:
        """Every place known, those of earlier agents in the same home too; at first that of a queue that names none.

        And of those that cannot be told now, why not.
        """
        remembered = [path.name for path in self._memory.iterdir()] if self._memory.is_dir() else []
        unknown: list[str] = []
        for name in remembered or [""]:
            try:
                self.of(Handle.parse(unquote(name)))
            except LaunchyardError as error:
                unknown.append(str(error))
        with self._lock:
            return list(self._places.values()), unknown

    def watch(self) -> None:
        """Have all places followed, and those that come."""
        with self._lock:
            self._is_watching = True
            for probe in self._probes.values():
                probe.start()
            for scope, _, _ in self._scopes.values():
                scope.watch()

    def stop(self) -> None:
        """End what follows them."""
        with self._lock:
            for scope, _, _ in self._scopes.values():
                scope.stop()
            for probe in self._probes.values():
                probe.stop()

    def _cluster(self, handle: Handle) -> Cluster:
        chosen = (handle.config_file, handle.context)
        if chosen not in self._clusters:
            self._clusters[chosen] = cluster = Cluster(*(part or None for part in chosen))
            self._rooms[cluster], self._probes[cluster] = Room(cluster), Probe(cluster)
            if self._is_watching:
                self._probes[cluster].start()
        return self._clusters[chosen]

    def _made(self, handle: Handle, cluster: Cluster, resource: Resource) -> Place:
        namespace = handle.namespace or cluster.namespace
        if (cluster, namespace) not in self._scopes:
            scope = Scope(cluster, namespace, self._changed, self._rooms[cluster], self._probes[cluster])
            if self._is_watching:
                scope.watch()
            self._scopes[cluster, namespace] = (scope, Marks(cluster, namespace), Logs(cluster, namespace))
        return Place(cluster, namespace, resource, *self._scopes[cluster, namespace])


def _nested(path: str, value: Any) -> Object:
    nested = value
    for name in reversed(path.split(".")):
        nested = {name: nested}
    return dict(nested)
