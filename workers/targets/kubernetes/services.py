"""What a run brings along: other objects beside its own, such as a database or a model server, in W&B Launch's format.

Here they are rendered; `beside` makes, awaits and removes them. They carry none of the run's own labels, so their pods
are no pods of the job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from workers.targets.identity import prefixed
from workers.targets.kubernetes.kinds import Kind, holders
from workers.targets.kubernetes.manifest import KUEUE, PREFIX
from workers.targets.kubernetes.pods import Object, by_structure, section
from workers.targets.protocol import Workload

KEY = "additional_services"
"""Beside the manifest: a list of `name` and `config`, which is a whole manifest."""

SERVICE_OF = f"{PREFIX}service-of"
"""Label on each, and on its pods: the run's name."""

BROUGHT = f"{PREFIX}brings"
"""Annotation on the run's object: kind and name of each, as JSON."""

WAIT_SECONDS = 300
"""Until they have to be ready, unless `wait_timeout` says otherwise."""

_NAME_LIMIT = 63


def services_of(manifest: Object, kind: Kind, config: Mapping[str, Any], workload: Workload) -> dict[str, Any]:
    """The services of a run, and how long its object waits for them; the object is told of both.

    Raises:
        ValueError: when they cannot be made.
    """
    given = config.get(KEY) or []
    if not isinstance(given, list):
        raise ValueError(f"{KEY!r} must be a list")
    made = [_made(one, manifest, workload) for one in given]
    if not made:
        return {}
    section(manifest["metadata"], "annotations")[BROUGHT] = json.dumps(
        [[one["apiVersion"], one["kind"], one["metadata"]["name"]] for one in made]
    )
    waits = config.get("wait_for_ready") is not False
    # What Kueue holds is let go by Kueue alone.
    if waits and KUEUE not in manifest["metadata"]["labels"]:
        if not kind.suspend:
            cure = "write wait_for_ready: false, and let the job itself wait"
            raise ValueError(f"a {manifest['kind']} cannot be held until its {KEY} are ready; {cure}")
        for holder in holders(manifest, kind.suspend.split(".")):
            holder[kind.suspend.rpartition(".")[2]] = True
        return {"services": made, "wait_seconds": _seconds(config.get("wait_timeout"))}
    return {"services": made}


def _made(given: Any, manifest: Object, workload: Workload) -> Object:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ValueError(f"each of {KEY!r} needs a 'name' and a 'config', which is a manifest")
    service = deepcopy(given.get("config"))
    if not isinstance(service, dict) or not all(isinstance(service.get(key), str) for key in ("apiVersion", "kind")):
        raise ValueError(f"the 'config' of {given['name']!r} in {KEY!r} needs 'apiVersion' and 'kind'")
    metadata = section(service, "metadata")
    space = manifest["metadata"].get("namespace")
    if metadata.get("namespace") not in (None, space):
        raise ValueError(f"{given['name']!r} in {KEY!r} has to be in the namespace of the run's object")
    own = re.sub(r"[^a-z0-9-]+", "-", given["name"].lower()).strip("-")
    metadata["name"] = metadata.get("name") or prefixed(own, workload.name, _NAME_LIMIT)
    for holder in [service, *(pod.template for pod in by_structure(service) if pod.template is not None)]:
        section(section(holder, "metadata"), "labels")[SERVICE_OF] = workload.name
    return service


def _seconds(value: Any) -> float:
    if value is None:
        return WAIT_SECONDS
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("'wait_timeout' must be a number of seconds")
    return float(value)
