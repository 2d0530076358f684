"""An object is made once, however often and by however many agents it is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from broker_config.errors import TemporaryError
from broker_config.oci.logins import Login, docker_config
from broker_config.oci.references import Reference, host_of
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.kubernetes.cluster import Refused
from workers.kubernetes.resource import SECRETS
from workers.targets.kubernetes import beside
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.kinds import kind_of
from workers.targets.kubernetes.manifest import PREFIX
from workers.targets.kubernetes.places import Place
from workers.targets.kubernetes.pods import Object
from workers.targets.protocol import Request

REQUEST_DIGEST = f"{PREFIX}request"
PASSPORT = f"{PREFIX}passport"
PULL = ".pull"
"""Behind the object's name: the Secret with the logins that pull its images."""

PASSPORT_BYTES = 200_000
"""Annotations have 256 KiB together; a run's record that is larger stays behind, and cannot be recovered."""


def create(place: Place, request: Request) -> Object:
    """Create the object, or adopt the one that is there; then what belongs to it. Returns it as it is.

    Raises:
        RunFailed: NAME_TAKEN when another object has its name; what the server says when it refuses.
        TemporaryError: when the server does not answer, a quota is full, or it waits for what it brings along.
    """
    handle = Handle.parse(request.name)
    body = deepcopy(dict(request.body["object"]))
    annotations = body["metadata"]["annotations"]
    annotations[REQUEST_DIGEST] = request.digest
    if len(request.passport.encode()) <= PASSPORT_BYTES:
        annotations[PASSPORT] = request.passport
    logins = _logins(body, request)
    if logins:
        _refer_to(f"{handle.name}{PULL}", body)
    try:
        made = place.cluster.call("POST", place.path(""), {"fieldValidation": "Strict"}, body)
    except Refused as error:
        if not error.is_conflict:
            raise _explained(error, place) from error
        made = _adopted(place, handle, request)
    # They come after the object, which owns them; its pods wait for them.
    if names := request.body["secrets"]:
        _bring(place, made, "", {"stringData": _values(names)})
    if logins:
        kind = "kubernetes.io/dockerconfigjson"
        content = {".dockerconfigjson": json.dumps(docker_config(logins))}
        _bring(place, made, PULL, {"type": kind, "stringData": content})
    beside.bring(place, made, request.body)
    return made


def _logins(body: Object, request: Request) -> dict[str, Login]:
    """The logins that pull the object's images, by the registry's host."""
    pods = kind_of(body).find_pods(body)
    images = {str(one["image"]) for pod in pods for one in [*pod.containers, *pod.helpers] if one.get("image")}
    found = {image: request.login(image) for image in sorted(images)}
    return {host_of(Reference.parse(image).repository): login for image, login in found.items() if login is not None}


def _refer_to(secret: str, body: Object) -> None:
    """Have the pods pull with a secret too. The digest knows nothing of it: another agent may have no login."""
    for pod in kind_of(body).find_pods(body):
        if pod.template is not None and isinstance(spec := pod.template.get("spec"), dict):
            spec["imagePullSecrets"] = [*(spec.get("imagePullSecrets") or []), {"name": secret}]


def _explained(error: Refused, place: Place) -> RunFailed | TemporaryError:
    if "exceeded quota" in str(error):
        return TemporaryError(f"{error}; the run waits for room", delay_seconds=15.0)
    if error.is_not_found and "namespaces" in str(error):
        cure = f"kubectl create namespace {place.namespace}, or name another one in the queue config"
        return RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, f"{error}; {cure}")
    return error


def _adopted(place: Place, handle: Handle, request: Request) -> Object:
    held = place.cluster.find(place.path(handle.name))
    if held is None:
        raise TemporaryError(f"{handle.name} was removed while it was being adopted")
    digest = (held["metadata"].get("annotations") or {}).get(REQUEST_DIGEST)
    if digest == request.digest:
        return held
    if held["metadata"].get("deletionTimestamp"):
        raise TemporaryError(f"another object named {handle.name} is being deleted; the run waits until it is gone")
    whose = "with another request" if digest else "and was not made by Launchyard"
    what = f"{place.resource.plural} {handle.name} in namespace {place.namespace}"
    raise RunFailed(
        FailureClass.CONFIG,
        Reason.NAME_TAKEN,
        f"{what} exists {whose}; look at it with: kubectl -n {place.namespace} describe {place.resource.plural} "
        f"{handle.name}; once it is removed, launch the run again",
    )


def _values(names: Sequence[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _bring(place: Place, owner: Object, suffix: str, content: Mapping[str, Any]) -> None:
    """Make a Secret that goes with the object."""
    metadata = {
        "name": f"{owner['metadata']['name']}{suffix}",
        "ownerReferences": [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
        ],
    }
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **content}
    try:
        place.cluster.call("POST", SECRETS.path(place.namespace), body=body)
    except Refused as error:
        if not error.is_conflict:
            raise
