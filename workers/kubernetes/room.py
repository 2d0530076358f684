"""How many GPUs and other devices a cluster has for pods that wait for them: read for all who wait, and seldom.

The scheduler says that there are too few, and not how many. To know that, all nodes and all pods that have one are
listed, which takes a role in the whole cluster. An agent that may list no nodes has the scheduler's words alone.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker_config.errors import TemporaryError
from workers.kubernetes.cluster import Cluster, Refused
from workers.kubernetes.demands import Demand, Node, devices_of, node_of
from workers.kubernetes.resource import NODES, PODS

READ_SECONDS = 30.0
"""How long a reading is good for."""

_SHARE = 0.05
"""Of the time, that is spent on readings at most: in a large cluster one takes seconds."""

_HAVE_NODES = "status.phase!=Succeeded,status.phase!=Failed,spec.nodeName!="


@dataclass(frozen=True, slots=True)
class Reading:
    """What there was at one time."""

    nodes: Sequence[Node] = ()
    taken: Mapping[str, Counter[str]] | None = None  # by node; None where pods may not be listed

    def lack(self, demand: Demand) -> str:
        """The clause on what no node has, however long the pod waits; empty when there is one that could take it."""
        for name, wanted in demand.devices:
            having = [node for node in self.nodes if node.devices[name]]
            fitting = [node for node in having if node.takes(demand)]
            most = max((node.devices[name] for node in fitting), default=0)
            if not having:
                offered = ", ".join(sorted({device for node in self.nodes for device in node.devices}))
                return f"no node has {name}; there are nodes with {offered}" if offered else f"no node has {name}"
            if not fitting:
                return f"{_nodes(having)} {name}, and the pod's nodeSelector and tolerations lead to none of them"
            if most < wanted:
                return f"it asks for {wanted} x {name} on one node, and the largest that it may go to has {most}"
        return ""

    def words(self, demand: Demand) -> str:
        """The sentence on what a pod waits for; empty where it could have it already, as far as devices go."""
        if lack := self.lack(demand):
            return f"{lack[0].upper()}{lack[1:]}."
        fitting = [node for node in self.nodes if node.takes(demand)]
        counts = [count for name, wanted in demand.devices if (count := self._count(name, wanted, fitting))]
        return f"It waits for {', and for '.join(counts)}." if counts else ""

    def _count(self, name: str, wanted: int, fitting: Sequence[Node]) -> str:
        total = sum(node.devices[name] for node in fitting)
        if self.taken is None:
            most = max(node.devices[name] for node in fitting)
            return f"{wanted} x {name}: the nodes that it may go to have {total}, at most {most} on one node"
        free = [max(node.devices[name] - self.taken.get(node.name, Counter())[name], 0) for node in fitting]
        if max(free) >= wanted:
            return ""
        on_one = f", at most {max(free)} on one node" if len(fitting) > 1 else ""
        return f"{wanted} x {name}: {sum(free)} of {total} are free on the nodes that it may go to{on_one}"


class Room:
    """The devices of one cluster, for all threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._reading: Reading | None = None
        self._good_until = float("-inf")

    def reading(self) -> Reading | None:
        """What there is, or was a moment ago; None where it cannot be known."""
        with self._lock:
            began = time.monotonic()
            if began >= self._good_until:
                self._reading = self._read()
                self._good_until = began + max(READ_SECONDS, (time.monotonic() - began) / _SHARE)
            return self._reading

    def _read(self) -> Reading | None:
        nodes = nodes_of(self._cluster)
        return Reading(nodes, self._taken()) if nodes is not None else None

    def _taken(self) -> Mapping[str, Counter[str]] | None:
        taken: dict[str, Counter[str]] = {}
        try:
            for pod in self._cluster.listed(PODS.path(None), "", _HAVE_NODES):
                if devices := devices_of(pod["spec"]):
                    taken[pod["spec"]["nodeName"]] = taken.get(pod["spec"]["nodeName"], Counter()) + devices
        except (Refused, TemporaryError):
            return None
        return taken


def nodes_of(cluster: Cluster) -> Sequence[Node] | None:
    """The nodes of a cluster; None where they may not be listed, or nobody answers."""
    try:
        return [node_of(one) for one in cluster.listed(NODES.path(None), "")]
    except (Refused, TemporaryError):
        return None


def _nodes(found: Sequence[Node]) -> str:
    return "1 node has" if len(found) == 1 else f"{len(found)} nodes have"
