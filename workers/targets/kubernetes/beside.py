"""The services of a run in its cluster: made once, owned by its object, ready before it starts, gone at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.kubernetes.cluster import Refused
from workers.targets.kubernetes.places import Place
from workers.targets.kubernetes.pods import Object
from workers.targets.kubernetes.services import BROUGHT, SERVICE_OF
from workers.targets.kubernetes.states import is_held

_LOOK_SECONDS = 2.0

_READY: Mapping[str, str] = {"Deployment": "Available", "Pod": "Ready"}
"""By kind, the condition that says so. A StatefulSet counts its pods; what else there is has nothing to wait for."""


def bring(place: Place, made: Object, body: Mapping[str, Any]) -> None:
    """Make the services of an object, and let it start when they are ready.

    Raises:
        RunFailed: when the server refuses one, or they are not ready in time. The object is removed then.
        TemporaryError: while they are not.
    """
    if not body.get("services"):
        return
    try:
        there = [_make(place, made, one) for one in body["services"]]
        if "wait_seconds" not in body or not is_held(made):
            return
        waiting = [words for one in there if (words := _waits(one))]
        if waiting:
            _check(made, waiting, float(body["wait_seconds"]))
    except RunFailed:
        # The services go with it.
        place.delete(made)
        raise
    place.let_go(made)


def remove(place: Place, found: Object) -> None:
    """Remove the services of an object that has ended, which may stay for longer itself."""
    for api_version, kind, name in json.loads((found["metadata"].get("annotations") or {}).get(BROUGHT, "[]")):
        # What cannot be removed, or is of a kind that is not there any more, goes with its owner.
        with suppress(Refused):
            path = place.cluster.resource(api_version, kind).path(place.namespace, name)
            service = place.cluster.find(path)
            if service is not None and _is_of(service, found):
                options = {"propagationPolicy": "Background", "preconditions": {"uid": service["metadata"]["uid"]}}
                place.cluster.delete(path, options=options)


def _make(place: Place, owner: Object, service: Mapping[str, Any]) -> Object:
    """Make a service, or find it made."""
    resource = place.cluster.resource(service["apiVersion"], service["kind"])
    if not resource.is_namespaced:
        text = f"a {resource.kind} belongs to no namespace, so no run can bring it along; make it beforehand"
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
    reference = {name: owner[name] for name in ("apiVersion", "kind")}
    reference |= {name: owner["metadata"][name] for name in ("name", "uid")}
    body = {**service, "metadata": {**service["metadata"], "ownerReferences": [reference]}}
    try:
        return place.cluster.call("POST", resource.path(place.namespace), {"fieldValidation": "Strict"}, body)
    except Refused as error:
        if not error.is_conflict:
            raise
    name = service["metadata"]["name"]
    found = place.cluster.find(resource.path(place.namespace, name))
    if found is None or found["metadata"].get("deletionTimestamp"):
        raise TemporaryError(
            f"{resource.plural} {name} of an earlier run is being deleted", delay_seconds=_LOOK_SECONDS
        )
    if not _is_of(found, owner):
        text = (
            f"{resource.plural} {name} exists and is not this run's; write ${{run_id}} and ${{attempt}} into its name"
        )
        raise RunFailed(FailureClass.CONFIG, Reason.NAME_TAKEN, text)
    return found


def _is_of(service: Object, owner: Object) -> bool:
    has_label = SERVICE_OF in (service["metadata"].get("labels") or {})
    owners = [one["uid"] for one in service["metadata"].get("ownerReferences") or []]
    return has_label and owner["metadata"]["uid"] in owners


def _waits(service: Object) -> str:
    """What a service is not ready for yet; empty when it is."""
    kind, name, status = service["kind"], service["metadata"]["name"], service.get("status") or {}
    if kind == "StatefulSet":
        wanted, ready = service["spec"].get("replicas", 1), status.get("readyReplicas") or 0
        return f"{kind} {name} has {ready} of {wanted} pods ready" if ready < wanted else ""
    if (condition := _READY.get(kind)) is None:
        return ""
    conditions: list[Object] = status.get("conditions") or []
    found = next((one for one in conditions if one["type"] == condition), {})
    why = found.get("message") or "nothing is said of why"
    return "" if found.get("status") == "True" else f"{kind} {name} is not {condition}: {why}"


def _check(made: Object, waiting: list[str], seconds: float) -> None:
    words = "; ".join(waiting)
    waited = (datetime.now(UTC) - datetime.fromisoformat(made["metadata"]["creationTimestamp"])).total_seconds()
    if waited >= seconds:
        text = (
            f"What the run brings along is not ready after {seconds:.0f} s: {words}; wait_timeout says how long it has"
        )
        raise RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, text)
    raise TemporaryError(f"the job waits for what it brings along: {words}", delay_seconds=_LOOK_SECONDS)
