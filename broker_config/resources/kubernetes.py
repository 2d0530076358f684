"""Objects of a Kubernetes cluster: a queue config is a manifest, any part of which may be left out of a Job.

What is guarded is what W&B Launch refuses since its release 0.28.1 whoever wrote it, and the choice of the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from broker_config.findings import Finding, error, warning
from broker_config.pointers import Path, to_pointer
from broker_config.resources import kubernetes_devices, sdks
from broker_config.resources.protocol import Guard
from broker_config.resources.shapes import ANYTHING, BOOLEAN, NUMBER, TEXT, ListOf, MapOf, Members, Shape

_SERVICE: Mapping[str, Shape] = {"name": TEXT, "config": MapOf(ANYTHING)}

OWN_KEYS: Mapping[str, Shape] = {
    "configFile": TEXT,
    "context": TEXT,
    "namespace": TEXT,
    "group": TEXT,
    "version": TEXT,
    "wait_for_ready": BOOLEAN,
    "wait_timeout": NUMBER,
    "additional_services": ListOf(Members("a service", lambda: _SERVICE, required=tuple(_SERVICE))),
    "ttlSecondsAfterFailed": NUMBER,
}
"""Beside the manifest; all but the last are W&B Launch's: where it goes, parts of `apiVersion`, what comes with it."""

_HOST = "it can let the job out of its pod, onto the node"
_POWERS = "it can give the job more rights than a pod has"
_IDENTITY = "it can give the job the rights of another service account"
_ELSEWHERE = "it can send the job to another cluster or namespace"
_KIND = "it can have the agent make objects of any kind, with the agent's rights"

_HOST_FIELDS = ("hostPath", "hostPID", "hostIPC", "hostNetwork", "hostUsers", "hostPort", "shareProcessNamespace")
_IDENTITY_FIELDS = (
    *("serviceAccountName", "serviceAccount"),
    *("serviceAccountToken", "automountServiceAccountToken"),
)


class KubernetesResource:
    """Kinds that the client knows are checked field by field; of others nothing is known."""

    named_lists: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "env", "volumes"), "name"),
        "additional_services": "name",
        **dict.fromkeys(("imagePullSecrets", "resourceClaims", "schedulingGates"), "name"),
        "volumeMounts": "mountPath",
        "volumeDevices": "devicePath",
        "hostAliases": "ip",
    }
    guarded: ClassVar[Sequence[Guard]] = (
        *(Guard(f"/**/{name}", _HOST) for name in _HOST_FIELDS),
        Guard("/**/mountPropagation", _HOST, only="Bidirectional"),
        Guard("/**/securityContext", _POWERS),
        Guard("/**/annotations/container.apparmor.security.beta.kubernetes.io~1*", _POWERS),
        Guard("/**/annotations/*seccomp.security.alpha.kubernetes.io~1*", _POWERS),
        *(Guard(f"/**/{name}", _IDENTITY) for name in _IDENTITY_FIELDS),
        *(Guard(path, _ELSEWHERE) for path in ("/configFile", "/context", "/namespace", "/metadata/namespace")),
        *(Guard(path, _KIND) for path in ("/apiVersion", "/kind", "/group", "/version", "/additional_services")),
    )
    insecure: ClassVar[Sequence[Guard]] = (
        *(Guard(f"/**/{name}", _HOST) for name in ("hostPID", "hostIPC", "hostNetwork")),
        Guard("/**/initContainers", "it runs what the job's author did not write"),
        Guard("/**/containers/*/command", "it replaces what the image starts"),
    )
    is_rehearsed: ClassVar[bool] = True

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return list(_check(config))


def _check(config: Mapping[str, Any]) -> Iterator[Finding]:
    for key, shape in OWN_KEYS.items():
        if config.get(key) is not None:
            yield from shape.check(config[key], (key,))
    manifest = {key: value for key, value in config.items() if key not in OWN_KEYS}
    yield from kubernetes_devices.check(manifest)
    yield from _check_manifest(manifest, *type_of(config), ())
    services = config.get("additional_services")
    for place, service in enumerate(services if isinstance(services, list) else []):
        if isinstance(service, Mapping) and isinstance(own := service.get("config"), Mapping):
            path = ("additional_services", str(place), "config")
            yield from _check_manifest(own, own.get("apiVersion"), own.get("kind"), path)


def _check_manifest(manifest: Mapping[str, Any], api_version: Any, kind: Any, path: Path) -> Iterator[Finding]:
    if not isinstance(api_version, str) or not isinstance(kind, str):
        yield error(to_pointer(path), "an object needs both 'apiVersion' and 'kind', as text, unless it is a Job")
        return
    what = f"fields of {kind} in {api_version} are not checked"
    if not _is_built_in(api_version):
        yield warning(to_pointer((*path, "kind")), f"{what}: only its cluster knows that kind")
        return
    types = sdks.load("kubernetes")
    if types is None:
        yield sdks.missing("kubernetes")
    elif shape := types.shape_of(api_version, kind):
        yield from shape.check(manifest, path)
    else:
        yield warning(to_pointer((*path, "kind")), f"{what}: {types.NAME} does not know that kind")


def type_of(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """`apiVersion` and `kind` of a manifest; without them it is a Job, or a part of one."""
    api_version, kind = config.get("apiVersion"), config.get("kind")
    group, version = config.get("group"), config.get("version")
    if group or version:
        own_group, _, own_version = str(api_version or "").rpartition("/")
        api_version = f"{group or own_group}/{version or own_version}"
    # W&B Launch takes batch/v1beta1 for a Job's, which it never was; CronJob has left it for v1.
    if api_version == "batch/v1beta1" or (api_version is None and kind in (None, "Job", "CronJob")):
        api_version = "batch/v1"
    if kind is None and api_version == "batch/v1":
        kind = "Job"
    return api_version, kind


def _is_built_in(api_version: str) -> bool:
    """Whether a group is one of Kubernetes itself, whose names have no dot or end with its domain."""
    group = api_version.rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")
