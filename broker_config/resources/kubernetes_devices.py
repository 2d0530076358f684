"""GPUs and other devices that containers ask for by name, as `nvidia.com/gpu: 2` under `resources`.

A cluster takes any name with a `/` in it, also one that no node will ever offer: such a pod waits for ever. So names
are compared with those that device plugins offer. Sources: the documentation of NVIDIA's device plugin and of its MIG
strategies, of the plugins of AMD, Intel, Habana, AWS and GKE, and Kubernetes' page on resource management.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from broker_config.findings import Finding, error, warning
from broker_config.placeholders import is_open
from broker_config.pointers import Path, children, to_pointer

DEVICES = (
    *("nvidia.com/gpu", "nvidia.com/gpu.shared", "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe"),
    *("habana.ai/gaudi", "google.com/tpu", "aws.amazon.com/neuron", "aws.amazon.com/neuroncore"),
)

_MIG = re.compile(r"nvidia\.com/mig-(\d+c\.)?\d+g\.\d+gb(\.[a-z0-9.-]+)?")
_LIKE_MIG = re.compile(r".*\bmig.?(\d+)g\D*(\d+)", re.IGNORECASE)
_KUBERNETES = re.compile(r"cpu|memory|ephemeral-storage|storage|pods|hugepages-.+|(.+\.)?kubernetes\.io/.+")
_WHOLE = re.compile(r"\d+(e\d+|[kMGTPE]i?|000m)?")

_HOLDERS = frozenset({"resources", "resourcesPerNode"})
"""Keys above `limits` and `requests`, in containers and in kinds that write them elsewhere."""


def check(config: Any, path: Path = ()) -> Iterator[Finding]:
    """What is wrong with the devices that are asked for anywhere in a config."""
    for name, item in children(config):
        if name in _HOLDERS and isinstance(item, Mapping):
            yield from _of_container(item, (*path, name))
        yield from check(item, (*path, name))


def _of_container(resources: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    amounts = {part: given for part in ("limits", "requests") if isinstance(given := resources.get(part), Mapping)}
    for part, given in amounts.items():
        for name, amount in given.items():
            place = to_pointer((*path, part, name))
            if clause := _like_another(name):
                yield warning(place, clause)
            elif is_device(name) and not _is_whole(amount):
                yield error(place, f"{name} is given in whole ones, not as {amount!r}")
    limits = amounts.get("limits", {})
    for name, amount in amounts.get("requests", {}).items():
        if is_device(name) and not is_open([amount, limits.get(name)]) and str(limits.get(name)) != str(amount):
            cure = "its limit has to be the same; leave the request out, since the limit stands for it"
            yield error(to_pointer((*path, "requests", name)), f"{amount} of {name} are requested; {cure}")


def is_device(name: str) -> bool:
    """Whether it is counted in whole ones that no two containers share: an extended resource."""
    return "/" in name and not _KUBERNETES.fullmatch(name)


def _is_whole(amount: Any) -> bool:
    if isinstance(amount, float):
        return amount.is_integer()
    return not isinstance(amount, str) or is_open(amount) or bool(_WHOLE.fullmatch(amount))


def _like_another(name: str) -> str:
    """The clause on a name that nothing offers, and that is much like one that something does; else empty."""
    if name in DEVICES or _MIG.fullmatch(name) or _KUBERNETES.fullmatch(name) or is_open(name):
        return ""
    if mig := _LIKE_MIG.match(name):
        return f"{name!r} is no name of a MIG slice; did you mean 'nvidia.com/mig-{mig[1]}g.{mig[2]}gb'?"
    if "/" in name:
        near = get_close_matches(name.lower(), DEVICES, n=1, cutoff=0.8)
        return f"{name!r} is nothing that nodes are known to offer; did you mean {near[0]!r}?" if near else ""
    ends = {device.rpartition("/")[2]: device for device in reversed(DEVICES)}
    near = get_close_matches(name.lower(), [*ends, *DEVICES, "cpu", "memory"], n=1)
    hint = f"; did you mean {ends.get(near[0], near[0])!r}?" if near else ""
    return f"Kubernetes has no resource {name!r}{hint or '; names of devices have a domain, as in nvidia.com/gpu'}"
