"""The objects of one build: a Job, and what belongs to it. Nothing here speaks to a cluster.

Sources: the API reference of Job; the README of kaniko, for its arguments and for where its image expects files; W&B
Launch, for the defaults of a build.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker_config.oci.references import Reference
from broker_config.overrides import merge
from workers.builders.kaniko.context import INPUT, Context
from workers.builders.kaniko.credentials import SECRETS, Credentials
from workers.builders.protocol import Push
from workers.config.kaniko import KanikoBuilderConfig
from workers.images.recipe import KEY_LABEL, Recipe

Object = dict[str, Any]

CONTAINER = "kaniko"
IMAGE_ANNOTATION = "launchyard.image"

_DEADLINE_SECONDS = 1800
_KEPT_SECONDS = 3600
"""A Job whose agent has died is removed that long after its end, and all that belongs to it with it."""

_NAMED_LISTS = {"env": "name", "volumes": "name", "volumeMounts": "mountPath", "imagePullSecrets": "name"}
_REPEATED = frozenset({"build-arg", "label", "secret", "destination", "registry-mirror", "registry-map", "ignore-path"})
"""Arguments that may be there several times. Of any other, the config's own value counts."""

_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "SETFCAP", "SETGID", "SETUID"]
"""What unpacking layers and installing packages as root takes."""


@dataclass(frozen=True, slots=True)
class Build:
    """What is to be built, and by what name."""

    recipe: Recipe
    push: Push
    name: str
    namespace: str


def name_of(config: KanikoBuilderConfig, key: str, reference: str) -> str:
    """The Job's name: the same for all agents that want this image at this place."""
    place = hashlib.sha256(reference.encode()).hexdigest()
    return f"{config.build_job_name}-{key[:16]}{place[:6]}"


def job(config: KanikoBuilderConfig, build: Build, context: Context, credentials: Credentials) -> Object:
    """The Job, which does not start before what belongs to it is there."""
    own = _container(config, build, context, credentials)
    pod: Object = {
        "restartPolicy": "Never",
        # A step of the Dockerfile could use the account; what the clouds hand to pods comes another way.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "nodeSelector": {"kubernetes.io/arch": build.recipe.platform.partition("/")[2]},
        "volumes": [_input_volume(build, context), *context.volumes, *credentials.volumes(build.name)],
    }
    if config.service_account:
        pod["serviceAccountName"] = config.service_account
    labels = {"app.kubernetes.io/managed-by": "launchyard", "app.kubernetes.io/component": "build"}
    manifest: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {"metadata": {"labels": {**labels, **credentials.labels}}, "spec": pod},
        },
    }
    return _named(_laid_over(manifest, own, config.kaniko_config), build)


def config_map(build: Build, files: Mapping[str, bytes], owner: Object) -> Object:
    """The Dockerfile and its ignore file, and the context where it is small enough to go this way."""
    ignored = "".join(f"{pattern}\n" for pattern in build.recipe.ignored)
    data = {"Dockerfile": build.recipe.dockerfile, "Dockerfile.dockerignore": ignored}
    binary = {name: base64.b64encode(content).decode() for name, content in files.items()}
    return {"metadata": _owned(build, owner), "immutable": True, "data": data, "binaryData": binary}


def secret(build: Build, credentials: Credentials, owner: Object) -> Object | None:
    """The login for the registry and the secrets of the build; None where there are none."""
    files = credentials.files
    if not files:
        return None
    return {
        "metadata": _owned(build, owner),
        "immutable": True,
        "data": {name: base64.b64encode(content).decode() for name, content in files.items()},
    }


def _owned(build: Build, owner: Object) -> Object:
    """The garbage collector removes it with the Job."""
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": build.name, "uid": owner["metadata"]["uid"]}
    return {"name": build.name, "ownerReferences": [reference]}


def _input_volume(build: Build, context: Context) -> Object:
    names = ["Dockerfile", "Dockerfile.dockerignore", *context.files]
    items = [{"key": name, "path": name} for name in names]
    return {"name": "input", "configMap": {"name": build.name, "items": items}}


def _container(config: KanikoBuilderConfig, build: Build, context: Context, credentials: Credentials) -> Object:
    return {
        "name": CONTAINER,
        "image": config.kaniko_image,
        "args": list(_arguments(config, build, context)),
        "env": list(credentials.variables),
        "volumeMounts": [
            {"name": "input", "mountPath": INPUT, "readOnly": True},
            *context.mounts,
            *credentials.mounts,
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": _CAPABILITIES},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _arguments(config: KanikoBuilderConfig, build: Build, context: Context) -> Iterator[str]:
    recipe, reference = build.recipe, build.push.reference
    yield f"--dockerfile={INPUT}/Dockerfile"
    yield f"--context={context.address}"
    yield f"--destination={reference}"
    # The pod's status has it then.
    yield "--digest-file=/dev/termination-log"
    yield "--log-format=json"
    yield "--cache=true"
    yield f"--cache-repo={Reference.parse(reference).repository}"
    yield "--snapshot-mode=redo"
    yield "--compressed-caching=false"
    yield "--push-retry=3"
    if config.platform:
        yield f"--custom-platform={config.platform}"
    yield from (f"--label={name}={value}" for name, value in recipe.labels.items())
    yield from (f"--build-arg={name}={value}" for name, value in recipe.build_args.items())
    yield from (f"--secret=id={name},src={SECRETS}/{name}" for name in recipe.secrets)


def _laid_over(manifest: Object, container: Object, own: Mapping[str, Any]) -> Object:
    """The Job with the config's part over it, the container and its arguments included."""
    spec = ((own.get("spec") or {}).get("template") or {}).get("spec") or {}
    theirs: Object = next(iter(spec.get("containers") or ()), {})
    arguments = _merged(container["args"], theirs.get("args") or [])
    merged = merge(container, theirs, _NAMED_LISTS) | {"args": arguments}
    laid: Object = merge(manifest, own, _NAMED_LISTS)
    laid["spec"]["template"]["spec"]["containers"] = [merged]
    return laid


def _merged(arguments: list[str], own: list[str]) -> list[str]:
    replaced = {_argument(one) for one in own} - _REPEATED
    return [one for one in arguments if _argument(one) not in replaced] + own


def _argument(text: str) -> str:
    return text.partition("=")[0].removeprefix("--")


def _named(manifest: Object, build: Build) -> Object:
    metadata = manifest["metadata"]
    metadata.pop("generateName", None)
    metadata |= {"name": build.name, "namespace": build.namespace}
    marks = {KEY_LABEL: build.recipe.key, IMAGE_ANNOTATION: build.push.reference}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **marks}
    manifest["spec"]["suspend"] = True
    return manifest
