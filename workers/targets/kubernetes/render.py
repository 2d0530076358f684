"""From a workload to the request: the object that is created, and in which cluster.

Nothing here speaks to a cluster. Formats: the API reference of Kubernetes, and those of the kinds in `kinds`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from broker_config.resources.kubernetes import type_of
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.containers import Container, image_of, literal, place_command, place_env, place_image
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.keeping import keep
from workers.targets.kubernetes.kinds import Kind, holders, kind_of
from workers.targets.kubernetes.manifest import HANDLE, label, manifest_of, name_object, submit_once
from workers.targets.kubernetes.pods import Object, Pod, section
from workers.targets.kubernetes.services import services_of
from workers.targets.protocol import Request, Workload

CLUSTER_KEYS = ("configFile", "context")
"""Keys of the queue config that choose a cluster."""


def render(workload: Workload) -> Request:
    """The request for a workload: `object` is created as it is, in the `cluster` of that kubeconfig and context.

    `secrets` are variables of the agent: they go into a Secret with the object's name, to which its pods refer.
    `services` are made beside it, and for `wait_seconds` it is held until they are ready.

    Raises:
        RunFailed: class CONFIG, when the queue config cannot work.
    """
    try:
        body = _body(workload)
    except ValueError as error:
        text = f"queue config of resource kubernetes: {error}"
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text) from error
    handle = str(Handle.of(workload.name, body["cluster"], body["object"]))
    section(body["object"]["metadata"], "annotations")[HANDLE] = handle
    return Request(handle, body)


def place_of(config: Mapping[str, Any]) -> Handle | None:
    """Where the objects of a queue config are; None where only a run's template values or macros tell."""
    config_file, context = (str(config.get(key) or "") for key in CLUSTER_KEYS)
    metadata = config.get("metadata")
    namespace = str(
        (metadata.get("namespace") if isinstance(metadata, dict) else None) or config.get("namespace") or ""
    )
    api_version, kind = map(str, type_of(config))
    if any("{" in part for part in (config_file, context, namespace, api_version, kind)):
        return None
    return Handle("", config_file, context, namespace, api_version, kind, "")


def _body(workload: Workload) -> dict[str, Any]:
    config = deepcopy(dict(workload.config))
    cluster = {key: _text(config, key) for key in CLUSTER_KEYS if config.get(key) is not None}
    namespace = _text(config, "namespace") if config.get("namespace") is not None else None
    manifest = manifest_of(config)
    kind = kind_of(manifest)
    name_object(manifest, workload, kind, namespace)
    pods = kind.find_pods(manifest)
    _place(manifest, pods, kind, workload)
    label(manifest, pods, workload)
    submit_once(manifest, kind)
    keep(manifest, kind, config)
    services = services_of(manifest, kind, config, workload)
    return {"cluster": cluster, "object": manifest, "secrets": list(workload.secrets), **services}


def _place(manifest: Object, pods: list[Pod], kind: Kind, workload: Workload) -> None:
    """Put the job into the object: its image, its command and its variables."""
    image = image_of(workload)
    if not pods and image not in json.dumps(manifest):
        raise ValueError("it has no containers, and the job's image is nowhere in it; write ${image_uri} where it goes")
    for pod in pods:
        if pod.is_named:
            _name_containers(pod, kind)
    place_image([pod.containers for pod in pods if pod.containers], "image", image)
    secrets = _references(workload, manifest["metadata"]["name"])
    for pod in pods:
        if not kind.shell_line and (not kind.starter or kind.starter in pod.path):
            _place_command(pod, workload)
        for container in [*pod.containers, *pod.helpers]:
            place_env(container, workload, secrets)
    if kind.shell_line:
        _place_shell_line(manifest, kind.shell_line, workload)


def _references(workload: Workload, secret: str) -> list[Container]:
    """The variables whose values are in a Secret: what is written into an object can be read by many."""
    return [{"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in workload.secrets]


def _name_containers(pod: Pod, kind: Kind) -> None:
    for place, container in enumerate(pod.containers):
        if not container.get("name"):
            container["name"] = f"launch{place}" if place else kind.container


def _place_command(pod: Pod, workload: Workload) -> None:
    for container in pod.containers:
        # Argo gives a `source` to the container's command as a file.
        if container["image"] == workload.artifact.reference and "source" not in container:
            place_command(container, [*map(literal, workload.entry_point)], [*map(literal, workload.args)])


def _place_shell_line(manifest: Object, path: str, workload: Workload) -> None:
    """Write the command as one line. One of the queue's stays, and the job's args come behind it."""
    name = path.rpartition(".")[2]
    for holder in holders(manifest, path.split(".")):
        words = [str(holder.get(name) or shlex.join(workload.entry_point)), shlex.join(workload.args)]
        if line := " ".join(filter(None, words)):
            holder[name] = line


def _text(config: dict[str, Any], key: str) -> str:
    if not isinstance(config[key], str) or not config[key]:
        raise ValueError(f"{key!r} must be a text")
    return str(config[key])
