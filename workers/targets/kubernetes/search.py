"""Objects of ours wherever these credentials may look: for a machine that has never sent any, such as after a loss.

Every kind that may have pods is asked for by our label: in all namespaces, and where that is not allowed in those that
are known. What could not be looked at is told, as nobody can say what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from broker_config.errors import ConfigError, TemporaryError
from workers.kubernetes.cluster import Cluster, Refused
from workers.kubernetes.resource import PODS, Resource
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.manifest import HANDLE
from workers.targets.kubernetes.places import Places
from workers.targets.kubernetes.pods import Object
from workers.targets.kubernetes.scope import MANAGED

_VERBS = {"create", "delete", "list"}
_OTHERS = {"autoscaling", "policy"}
"""Groups of Kubernetes itself that have no jobs, beside those whose names end with `.k8s.io`."""


def search(places: Places) -> Iterator[str]:
    """Make the places of all objects known that are found. Yields a sentence for each part that was not looked at."""
    known, _ = places.all()
    for cluster in dict.fromkeys(place.cluster for place in known):
        namespaces = {place.namespace for place in known if place.cluster is cluster} | {cluster.namespace}
        try:
            yield from _search(cluster, sorted(namespaces), places)
        except (TemporaryError, Refused) as error:
            # The others are looked at all the same.
            yield f"of {cluster} only places that are known were looked at: {error}"


def _search(cluster: Cluster, namespaces: list[str], places: Places) -> Iterator[str]:
    in_part, not_at_all = [], []
    for resource in _kinds(cluster):
        try:
            yield from _know(_objects(cluster, resource, [None]), places)
        except Refused:
            try:
                yield from _know(_objects(cluster, resource, namespaces), places)
                in_part.append(resource.plural)
            except Refused:
                not_at_all.append(resource.plural)
    if in_part:
        yield (
            f"{', '.join(in_part)} were looked for in namespace {', '.join(namespaces)} of {cluster} only, as these "
            "credentials may not list them in all; for another namespace make a queue anew that leads there"
        )
    if not_at_all:
        yield f"{', '.join(not_at_all)} were not looked for in {cluster}: these credentials may not list them"


def _kinds(cluster: Cluster) -> Iterator[Resource]:
    """Those of which an object of ours may be."""
    yield PODS
    for group in cluster.get("/apis")["groups"]:
        if _may_have_jobs(group["name"]):
            version = group["preferredVersion"]["groupVersion"]
            for one in cluster.get(f"/apis/{version}")["resources"]:
                if one["namespaced"] and "/" not in one["name"] and _VERBS.issubset(one["verbs"]):
                    yield Resource(version, one["kind"], one["name"])


def _may_have_jobs(group: str) -> bool:
    # Kueue, JobSet and other projects have `x-k8s.io`.
    return group not in _OTHERS and (not group.endswith(".k8s.io") or group.endswith(".x-k8s.io"))


def _objects(cluster: Cluster, resource: Resource, namespaces: Iterable[str | None]) -> list[Object]:
    return [one for namespace in namespaces for one in cluster.listed(resource.path(namespace), MANAGED)]


def _know(objects: Iterable[Object], places: Places) -> Iterator[str]:
    """Make the places of objects known; those of which it is not possible are told of."""
    for one in objects:
        # Pods that an object has made have its labels, and not this.
        if (handle := (one["metadata"].get("annotations") or {}).get(HANDLE)) is None:
            continue
        try:
            places.of(Handle.parse(handle))
        except (ConfigError, Refused, TemporaryError) as error:
            yield f"{handle} was not looked at: {error}"
