"""What is to be known of an object by whoever takes its run up later, also when the object is gone.

An empty ConfigMap beside it is kept by the same cluster, and its name is given away once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from workers.kubernetes.cluster import Cluster, Refused
from workers.kubernetes.resource import CONFIG_MAPS
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.manifest import HANDLE, PREFIX


class Mark(StrEnum):
    """What a mark says of the object of its name."""

    CANCELLED = "cancelled"  # its end is wanted
    RELEASED = "released"  # it was removed, and must not be made again


class Marks:
    """The marks in one namespace of a cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def put(self, handle: Handle, mark: Mark) -> None:
        """Make a mark; one that is there stays."""
        metadata = {
            "name": f"{handle.run}.{mark}",
            "labels": {f"{PREFIX}mark": str(mark)},
            "annotations": {HANDLE: str(handle)},
        }
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        try:
            self._cluster.call("POST", CONFIG_MAPS.path(self._namespace), body=body)
        except Refused as error:
            if not error.is_conflict:
                raise

    def has(self, handle: Handle, mark: Mark) -> bool:
        """Whether there is that mark."""
        return self._cluster.find(self._path(handle, mark)) is not None

    def remove(self, handle: Handle, mark: Mark) -> None:
        """Take a mark away, if it is there."""
        self._cluster.delete(self._path(handle, mark))

    def handles(self, mark: Mark, older_than_seconds: float) -> Iterator[str]:
        """The objects whose mark of that kind was made longer ago."""
        until = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        for one in self._cluster.listed(CONFIG_MAPS.path(self._namespace), f"{PREFIX}mark={mark}"):
            if datetime.fromisoformat(one["metadata"]["creationTimestamp"]) <= until:
                yield one["metadata"]["annotations"][HANDLE]

    def _path(self, handle: Handle, mark: Mark) -> str:
        return CONFIG_MAPS.path(self._namespace, f"{handle.run}.{mark}")
