"""From a queue config to an object: what is left out of a Job is filled in, and the object gets the run's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from broker_config.resources.kubernetes import OWN_KEYS, type_of
from workers.targets.identity import fitting, identity, prefixed
from workers.targets.kubernetes.kinds import Kind, holders
from workers.targets.kubernetes.pods import Object, Pod, section
from workers.targets.protocol import Workload

PREFIX = "launchyard/"
HANDLE = f"{PREFIX}handle"
"""Annotation: how Launchyard names the object."""

KUEUE = "kueue.x-k8s.io/queue-name"

_NAME_LIMIT = 63
_LABEL_CHARACTERS = "A-Za-z0-9._-"


def manifest_of(config: Mapping[str, Any]) -> Object:
    """The manifest in a queue config, with its `apiVersion` and `kind`, and with a container if it is a Job.

    Raises:
        ValueError: when it is of no kind.
    """
    api_version, kind = type_of(config)
    if not isinstance(api_version, str) or not isinstance(kind, str):
        raise ValueError("an object needs both 'apiVersion' and 'kind', as text, unless it is a Job")
    rest = {key: value for key, value in config.items() if key not in {*OWN_KEYS, "apiVersion", "kind"}}
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {}, **rest}
    if api_version == "batch/v1":
        if unknown := sorted(rest.keys() - {"metadata", "spec"}):
            raise ValueError(f"a {kind} has no {unknown[0]!r}; what it has stands below 'metadata' and 'spec'")
        _fill_job(manifest)
    return manifest


def _fill_job(manifest: Object) -> None:
    """A Job, or a CronJob's, needs one container, which may be empty until the job goes in."""
    path = "spec.jobTemplate.spec" if manifest["kind"] == "CronJob" else "spec"
    for pod in holders(manifest, f"{path}.template.spec.containers".split(".")):
        pod["containers"] = pod.get("containers") or [{}]
        if not isinstance(pod["containers"], list) or not all(isinstance(one, dict) for one in pod["containers"]):
            raise ValueError("'containers' must be a list of objects")


def name_object(manifest: Object, workload: Workload, kind: Kind, namespace: str | None) -> None:
    """Give the object the run's name, behind the one that the config gives, and its namespace if the config has one.

    Without one the object goes to the namespace of the cluster's context, which only the agent knows.
    """
    metadata = section(manifest, "metadata")
    prefix = str(metadata.pop("name", None) or metadata.pop("generateName", None) or "")
    metadata.pop("generateName", None)
    given = {**metadata, "namespace": metadata.get("namespace") or namespace}
    manifest["metadata"] = {
        "name": prefixed(prefix.lower(), workload.name, kind.name_limit),
        **{name: value for name, value in given.items() if value is not None},
    }


def label(manifest: Object, pods: list[Pod], workload: Workload) -> None:
    """Write whose it is on the object and on its pods.

    A job's labels get a prefix of ours: without one they could make its pods part of somebody's Service.
    """
    labels = {
        f"label.{PREFIX}{fitting(name, _LABEL_CHARACTERS, _NAME_LIMIT)}": _label_value(value)
        for name, value in sorted(workload.labels.items())
    } | {name: _label_value(value) for name, value in identity(workload, PREFIX).items()}
    for holder in [manifest, *(pod.template for pod in pods if pod.template is not None)]:
        section(section(holder, "metadata"), "labels").update(labels)


def submit_once(manifest: Object, kind: Kind) -> None:
    """Have the object's controller try nothing again, and start nothing before Kueue admits it."""
    for path, value in kind.once.items():
        for holder in holders(manifest, path.split(".")):
            holder.setdefault(path.rpartition(".")[2], value)
    if kind.tells_preemption:
        _tell_preemption(section(manifest, "spec"))
    metadata = manifest["metadata"]
    if kind.suspend and KUEUE in metadata["labels"]:
        for holder in holders(manifest, kind.suspend.split(".")):
            holder.setdefault(kind.suspend.rpartition(".")[2], True)


def _tell_preemption(spec: Object) -> None:
    """Have a Job say that the cluster took its pod away: the pod itself may be gone before an agent sees it."""
    if spec["backoffLimit"] == 0 and section(section(spec, "template"), "spec")["restartPolicy"] == "Never":
        rule = {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        spec.setdefault("podFailurePolicy", {"rules": [rule]})


def _label_value(text: str) -> str:
    """A value may not begin or end with a mark."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", fitting(text, _LABEL_CHARACTERS, _NAME_LIMIT))
