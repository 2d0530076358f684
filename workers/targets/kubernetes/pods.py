"""Where the pods of an object are, found by structure in any kind."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from workers.targets.containers import Container

Object = dict[str, Any]

PATCHER = "launchyard/agent"
"""The manager of a TrainJob's patch that is ours. In a queue config it names the runtime's jobs."""

_TRAINER_JOB = "node"
"""What the job that trains is called in the runtimes that come with Kubeflow Trainer."""

_WITH_SUBMITTER = (None, "", "K8sJobMode")
"""Modes of KubeRay in which a pod of its own submits a job to its Ray cluster; the first two stand for the third."""

_SUBMITTER_RESOURCES = {"requests": {"cpu": "500m", "memory": "200Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
"""What KubeRay gives to that pod."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as it stands in an object, which is changed through it."""

    path: tuple[str, ...]  # the names on the way to it
    containers: list[Container]
    helpers: list[Container] = field(default_factory=list)  # those that run before or beside them
    template: Object | None = None  # what holds its `metadata`; None where the kind has no place for that
    is_named: bool = True  # whether its containers have names


def by_structure(manifest: Object) -> list[Pod]:
    """Every pod template: an object `spec` with a list of `containers`, wherever it is."""
    return list(_walk(manifest, (), None))


def of_workflow(manifest: Object) -> list[Pod]:
    """Argo writes a pod's parts into a template of its own: one `container` or `script`, or a `containerSet`."""
    found = []
    for template in _objects(section(manifest, "spec").get("templates")):
        one = template.get("container", template.get("script"))
        several = template.get("containerSet")
        if isinstance(one, dict):
            containers = [one]
        else:
            containers = _objects(several.get("containers")) if isinstance(several, dict) else []
        if containers:
            helpers = [*_objects(template.get("initContainers")), *_objects(template.get("sidecars"))]
            found.append(Pod(("spec", "templates"), containers, helpers, template, is_named=one is None))
    return found


def of_train_job(manifest: Object) -> list[Pod]:
    """A TrainJob has one trainer in the place of containers; its pods are templates of the runtime that it names.

    The `containers` in its patches only add to that runtime's, and take neither image nor command. But by a patch its
    pods get labels: a patch of our own, for each of the runtime's jobs.
    """
    spec = section(manifest, "spec")
    patches = spec.setdefault("runtimePatches", [])
    if not isinstance(patches, list) or not all(isinstance(one, dict) for one in patches):
        raise ValueError("'runtimePatches' must be a list of objects")
    if not any(one.get("manager") == PATCHER for one in patches):
        named = [str(job.get("name")) for one in patches for job in _patched(one)]
        jobs = [{"name": name} for name in dict.fromkeys((_TRAINER_JOB, *named))]
        patches.append({"manager": PATCHER, "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}}})
    own = next(one for one in patches if one.get("manager") == PATCHER)
    templates = [section(section(section(job, "template"), "spec"), "template") for job in _patched(own)]
    trainer = Pod(("spec", "trainer"), [section(spec, "trainer")], is_named=False)
    return [trainer, *(Pod(("spec", "runtimePatches"), [], template=one, is_named=False) for one in templates)]


def _patched(patch: Object) -> list[Object]:
    """The jobs of a runtime that a patch names."""
    return _objects(below(patch, "trainingRuntimeSpec", "template", "spec", "replicatedJobs"))


def of_ray_job(manifest: Object) -> list[Pod]:
    """Those of a Ray cluster, and the one that submits the job to it, which prints what the job prints.

    KubeRay makes the latter by itself where none is given, and puts no labels on it; so one like KubeRay's is given.
    """
    spec = section(manifest, "spec")
    head = _objects(below(spec, "rayClusterSpec", "headGroupSpec", "template", "spec", "containers"))
    if head and spec.get("submissionMode") in _WITH_SUBMITTER and not spec.get("submitterPodTemplate"):
        image = {"image": head[0]["image"]} if head[0].get("image") else {}
        submitter = {"name": "ray-job-submitter", **image, "resources": deepcopy(_SUBMITTER_RESOURCES)}
        spec["submitterPodTemplate"] = {"spec": {"restartPolicy": "Never", "containers": [submitter]}}
    return by_structure(manifest)


def below(node: Any, *names: str) -> Any:
    """What is found under the names, one below the other; None where one is missing."""
    for name in names:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def section(holder: Object, name: str) -> Object:
    """The object under a name, made when there is none.

    Raises:
        ValueError: when something else is there.
    """
    if holder.get(name) is None:
        holder[name] = {}
    below = holder[name]
    if not isinstance(below, dict):
        raise ValueError(f"{name!r} must be an object")
    return below


def _walk(node: Any, path: tuple[str, ...], parent: Object | None) -> Iterator[Pod]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, path, None)
    if not isinstance(node, dict):
        return
    if containers := _objects(node.get("containers")):
        template = parent if path and path[-1] == "spec" else None
        yield Pod(path, containers, _objects(node.get("initContainers")), template)
    for name, value in node.items():
        if name not in {"containers", "initContainers", "metadata"}:
            yield from _walk(value, (*path, name), node)


def _objects(value: Any) -> list[Object]:
    """A list of objects; empty when it is anything else."""
    return value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else []
