"""What a pod asks of a node in devices, and which nodes it may go to by their labels and taints.

Node affinity is left out: where a pod has some, there may be more nodes here than the scheduler lets it go to.
Sources: Kubernetes' pages on resource management, on taints and tolerations, and on init and sidecar containers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from kubernetes.utils import parse_quantity

from broker_config.resources.kubernetes_devices import is_device

Object = dict[str, Any]

_KEEPS_OUT = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class Demand:
    """What a pod asks for. Two pods of one template have the same."""

    devices: tuple[tuple[str, int], ...]  # by name, such as nvidia.com/gpu
    selector: tuple[tuple[str, str], ...] = ()  # labels of the nodes
    tolerations: tuple[tuple[str, str, str, str], ...] = ()  # key, operator, value, effect; empty: any


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the server sends it, as far as it matters here."""

    name: str
    labels: dict[str, str]
    taints: tuple[tuple[str, str, str], ...]  # key, value, effect
    devices: Counter[str]  # what pods can have of it

    def takes(self, demand: Demand) -> bool:
        """Whether labels and taints let such a pod in."""
        has_labels = all(self.labels.get(name) == value for name, value in demand.selector)
        return has_labels and all(
            any(_tolerates(one, taint) for one in demand.tolerations) for taint in self.taints if taint[2] in _KEEPS_OUT
        )


def demand_of(spec: Object) -> Demand | None:
    """What a pod of that `spec` asks for; None where it asks for no devices."""
    devices = devices_of(spec)
    if not devices:
        return None
    return Demand(
        tuple(sorted(devices.items())),
        tuple(sorted((spec.get("nodeSelector") or {}).items())),
        tuple(
            (one.get("key") or "", one.get("operator") or "Equal", one.get("value") or "", one.get("effect") or "")
            for one in spec.get("tolerations") or []
        ),
    )


def devices_of(spec: Object) -> Counter[str]:
    """How many of each device a pod takes from its node."""
    before = spec.get("initContainers") or []
    beside = [one for one in before if one.get("restartPolicy") == "Always"]
    together: Counter[str] = Counter()
    for container in [*(spec.get("containers") or []), *beside]:
        together += _of_container(container)
    for container in before:
        # It ends before the others begin.
        together |= _of_container(container)
    return together


def node_of(found: Object) -> Node:
    """A node from what the server says of it."""
    taints = (found.get("spec") or {}).get("taints") or []
    offered = (found.get("status") or {}).get("allocatable") or {}
    return Node(
        name=found["metadata"]["name"],
        labels=found["metadata"].get("labels") or {},
        taints=tuple((one.get("key") or "", one.get("value") or "", one.get("effect") or "") for one in taints),
        devices=_counted(offered),
    )


def _of_container(container: Object) -> Counter[str]:
    resources = container.get("resources") or {}
    return _counted({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _counted(amounts: Object) -> Counter[str]:
    found = {name: _whole(amount) for name, amount in amounts.items() if is_device(name)}
    return Counter({name: count for name, count in found.items() if count > 0})


def _whole(amount: str | int) -> int:
    """The number; 0 for what is none, such as a placeholder in an object that is not made yet."""
    try:
        return int(parse_quantity(amount))  # type: ignore[no-untyped-call]
    except ValueError:
        return 0


def _tolerates(toleration: tuple[str, str, str, str], taint: tuple[str, str, str]) -> bool:
    key, operator, value, effect = toleration
    if effect not in {"", taint[2]} or key not in {"", taint[0]}:
        return False
    return operator == "Exists" or (key != "" and value == taint[1])
