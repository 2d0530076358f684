"""The objects of one small selection, as they are and as they change, for who waits for something to happen to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from workers.kubernetes.cluster import Cluster, Object, Query, Refused
from workers.kubernetes.lines import lines

_GRACE_SECONDS = 15.0
"""How much longer than it was asked to a server may be silent at the end of a watch."""


@dataclass(frozen=True, slots=True)
class Change:
    """An object as it is now, or as it was when it was deleted."""

    found: Object
    is_deleted: bool = False


def changes(cluster: Cluster, path: str, selection: Query, seconds: int) -> Iterator[Change]:
    """All that a selection holds, then each change of it for so long.

    Raises:
        Refused, TemporaryError: as `Cluster.call` does; a watch that expired simply ends.
    """
    listed = cluster.get(path, selection)
    for one in listed["items"]:
        yield Change(one)
    version = listed["metadata"]["resourceVersion"]
    query = {**selection, "watch": True, "resourceVersion": version, "timeoutSeconds": seconds}
    with cluster.stream(path, query, seconds + _GRACE_SECONDS) as stream:
        for line in lines(stream):
            event = json.loads(line)
            if event["type"] == "ERROR":
                status = event["object"]
                refused = Refused(int(status.get("code") or 0), str(status.get("reason")), str(status.get("message")))
                if refused.is_expired:
                    return
                raise refused
            yield Change(event["object"], event["type"] == "DELETED")
