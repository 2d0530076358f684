"""Custom jobs of Vertex AI: a queue config is `{spec: {...}, run: {...}}`, as W&B Launch has it.

Both hold arguments of `CustomJob` and of its `submit` in Google's client; the types inside are messages of its API
(`google.cloud.aiplatform.v1`, files `custom_job.proto` and `machine_resources.proto`). They stand here as a table: the
client takes seconds to import, and a machine that only launches has no need of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from broker_config.findings import Finding, error
from broker_config.pointers import to_pointer
from broker_config.resources.protocol import Guard
from broker_config.resources.shapes import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    ListOf,
    MapOf,
    Members,
    Shape,
)

_SCALARS: Mapping[str, Shape] = {
    "text": TEXT,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "enum": ANYTHING,  # by name or by number; a new machine brings a new word
    "anything": ANYTHING,
    "texts": MapOf(TEXT),
}

_RUN = {
    **dict.fromkeys(("service_account", "network", "persistent_resource_id", "tensorboard"), "text"),
    **dict.fromkeys(("experiment", "experiment_run"), "text"),
    **dict.fromkeys(("timeout", "max_wait_duration"), "integer"),
    **dict.fromkeys(("restart_job_on_worker_restart", "disable_retries"), "boolean"),
    **dict.fromkeys(("enable_web_access", "enable_dashboard_access"), "boolean"),
    "reserved_ip_ranges": "[text]",
    "psc_interface_config": "PscInterfaceConfig",
    "scheduling_strategy": "enum",
    "create_request_timeout": "number",
}

MESSAGES: Mapping[str, Mapping[str, str]] = {
    "WorkerPoolSpec": {
        "machine_spec": "MachineSpec",
        "replica_count": "integer",
        "container_spec": "ContainerSpec",
        "python_package_spec": "PythonPackageSpec",
        "nfs_mounts": "[NfsMount]",
        "lustre_mounts": "[LustreMount]",
        "disk_spec": "DiskSpec",
    },
    "MachineSpec": {
        "machine_type": "text",
        "accelerator_type": "enum",
        "accelerator_count": "integer",
        "gpu_partition_size": "text",
        "tpu_topology": "text",
        "reservation_affinity": "ReservationAffinity",
    },
    "ReservationAffinity": {"reservation_affinity_type": "enum", "key": "text", "values": "[text]"},
    "ContainerSpec": {"image_uri": "text", "command": "[text]", "args": "[text]", "env": "[EnvVar]"},
    "PythonPackageSpec": {
        "executor_image_uri": "text",
        "package_uris": "[text]",
        "python_module": "text",
        "args": "[text]",
        "env": "[EnvVar]",
    },
    "EnvVar": {"name": "text", "value": "text"},
    "NfsMount": {"server": "text", "path": "text", "mount_point": "text"},
    "LustreMount": {"instance_ip": "text", "volume_handle": "text", "filesystem": "text", "mount_point": "text"},
    "DiskSpec": {"boot_disk_type": "text", "boot_disk_size_gb": "integer"},
    "PscInterfaceConfig": {"network_attachment": "text", "dns_peering_configs": "[DnsPeeringConfig]"},
    "DnsPeeringConfig": {"domain": "text", "target_project": "text", "target_network": "text"},
}
"""Messages of the API: their fields, each with its type; brackets stand for a list."""

_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "a config": {"spec": "spec", "run": "run"},
    "run": _RUN,
    "spec": {
        **_RUN,  # W&B Launch reads these under `run`, and its documentation has some of them under `spec`
        "worker_pool_specs": "[WorkerPoolSpec]",
        **dict.fromkeys(("labels", "secrets"), "texts"),
        **dict.fromkeys(("display_name", "staging_bucket", "base_output_dir", "encryption_spec_key_name"), "text"),
        **dict.fromkeys(("project", "location", "impersonate_service_account"), "text"),
    },
}
"""Arguments of the client's `CustomJob` and of its `submit`."""

_REQUIRED: Mapping[str, Sequence[str]] = {"a config": ("spec",), "spec": ("worker_pool_specs",)}

_IDENTITY = "it can give the job the rights of another service account"
_ELSEWHERE = "it can send the job to another project or region"
_NETWORK = "it can let the job into another network"


class VertexResource:
    """Every field is checked, on every level: the client takes none that it does not know."""

    named_lists: ClassVar[Mapping[str, str]] = {"env": "name"}
    guarded: ClassVar[Sequence[Guard]] = (
        *(Guard(f"/*/{name}", _NETWORK) for name in ("network", "reserved_ip_ranges", "psc_interface_config")),
        Guard("/*/service_account", _IDENTITY),
        *(Guard(f"/spec/{name}", _ELSEWHERE) for name in ("project", "location", "impersonate_service_account")),
    )
    insecure: ClassVar[Sequence[Guard]] = ()
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return [*_shape("a config").check(config, ()), *_check_pools(config)]


def _check_pools(config: Mapping[str, Any]) -> Iterator[Finding]:
    spec = config.get("spec")
    pools = spec.get("worker_pool_specs") if isinstance(spec, Mapping) else None
    if not isinstance(pools, list):
        return
    path = ("spec", "worker_pool_specs")
    if not any(pools):
        yield error(to_pointer(path), "there must be at least one worker pool with a 'container_spec'")
    for place, pool in enumerate(pools):
        # An empty pool skips its place in the order of chief, workers and parameter servers.
        if isinstance(pool, Mapping) and pool and "container_spec" not in pool:
            text = "the pool needs a 'container_spec', which may be empty: {}"
            yield error(to_pointer((*path, str(place))), text)


@cache
def _shape(type_: str) -> Shape:
    if type_ in _SCALARS:
        return _SCALARS[type_]
    if type_.startswith("["):
        return ListOf(_shape(type_[1:-1]))
    fields = MESSAGES.get(type_) or _ARGUMENTS[type_]
    return Members(type_, lambda: {name: _shape(one) for name, one in fields.items()}, _REQUIRED.get(type_, ()))
