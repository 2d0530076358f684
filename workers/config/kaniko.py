"""The block `builder` of the agent's config, where its type is `kaniko`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from broker_config.frozen import JsonObject
from workers.config.image_builder import ImageBuilderConfig

STORES = {
    "aws": re.compile(r"s3://[a-z0-9][a-z0-9.-]*(?:/.*)?"),
    "gcp": re.compile(r"gs://[a-z0-9][\w.-]*(?:/.*)?"),
    "azure": re.compile(r"https://[a-z0-9]+\.blob\.core\.windows\.net/[a-z0-9$-]+(?:/.*)?"),
}
"""How build contexts are named, by the environment that can reach them."""

KANIKO_IMAGE = "ghcr.io/osscontainertools/kaniko:v1.28.3"
"""Of the fork that is maintained: the first project was archived in June 2025."""

_KANIKO_ARGUMENT = re.compile(r"--[a-z][a-z-]*=.*")


def _check_store(store: str) -> str:
    if cloud_of(store) is None:
        raise ValueError(
            f"{store!r} is not a store of build contexts; write s3://BUCKET/PATH, gs://BUCKET/PATH or "
            "https://ACCOUNT.blob.core.windows.net/CONTAINER"
        )
    return store


def cloud_of(store: str) -> str | None:
    """The type of environment that a store of build contexts is in."""
    return next((cloud for cloud, pattern in STORES.items() if pattern.fullmatch(store)), None)


def _check_kaniko_job(job: dict[str, Any]) -> dict[str, Any]:
    """Part of a Kubernetes Job with at most one container, whose arguments can be merged by name."""
    containers = job
    for key in ("spec", "template", "spec"):
        containers = containers.get(key) or {}
        if not isinstance(containers, dict):
            raise ValueError(f"{key!r} must be a mapping, as in the manifest of a Kubernetes Job")
    listed = containers.get("containers") or []
    if not isinstance(listed, list) or len(listed) > 1 or not all(isinstance(one, dict) for one in listed):
        raise ValueError("spec.template.spec.containers must be a list with one container, kaniko's own")
    for argument in (listed[0].get("args") or []) if listed else ():
        if not isinstance(argument, str) or not _KANIKO_ARGUMENT.fullmatch(argument):
            raise ValueError(f"kaniko's argument {argument!r} must be written as --name=value")
    return job


class KanikoBuilderConfig(ImageBuilderConfig):
    """Images are built by kaniko, as Jobs of a Kubernetes cluster. W&B Launch's keys are all here, and more."""

    type: Literal["kaniko"] = "kaniko"

    platform: Literal["linux/amd64", "linux/arm64"] | None = None
    """What to build for, on a node of that kind. Absent: linux/amd64."""

    build_context_store: Annotated[str, AfterValidator(_check_store)] | None = Field(
        default=None, alias="build-context-store"
    )
    """Where a build's code is put for kaniko to fetch: `s3://`, `gs://` or `https://*.blob.core.windows.net/`. Absent:
    code travels as a ConfigMap, which holds 900 KiB of it, compressed."""

    context_volume: str | None = Field(default=None, alias="context-volume", min_length=1)
    """PersistentVolumeClaim that takes a build's code in place of the store; the agent has it mounted too."""

    context_volume_path: Path | None = Field(default=None, alias="context-volume-path")
    """Where the agent has that volume mounted."""

    kube_config: str | None = Field(default=None, alias="kube-config")
    """File with the cluster's address. Absent: `KUBECONFIG`, `~/.kube/config`, or the cluster that the agent is in."""

    kube_context: str | None = Field(default=None, alias="kube-context")
    """Context of that file. Absent: its current one."""

    namespace: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Where build Jobs are made. Absent: the one in `kaniko-config`, else that of the context or of the agent's pod."""

    service_account: str | None = Field(default=None, alias="service-account", min_length=1)
    """Service account of build pods, by which clouds know them."""

    docker_config_secret: str | None = Field(default=None, alias="docker-config-secret", min_length=1)
    """Secret of type `kubernetes.io/dockerconfigjson` with logins for registries. Absent: each build gets the agent's
    login for its destination."""

    build_job_name: str = Field(
        default="launchyard-build", alias="build-job-name", pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
    )
    """How the names of build Jobs begin."""

    secret_name: str | None = Field(default=None, alias="secret-name")
    """Kubernetes Secret with a file of cloud credentials for kaniko; where workload identity gives none."""

    secret_key: str | None = Field(default=None, alias="secret-key")
    """The file's key in that Secret."""

    kaniko_image: str = Field(default=KANIKO_IMAGE, alias="kaniko-image", min_length=1)
    """Image of kaniko's executor."""

    kaniko_config: Annotated[JsonObject, AfterValidator(_check_kaniko_job)] = Field(
        default_factory=dict, alias="kaniko-config"
    )
    """Part of a Kubernetes Job that is laid over the build Job: one container; arguments as `--name=value`."""

    @model_validator(mode="after")
    def _secret_is_whole(self) -> KanikoBuilderConfig:
        if bool(self.secret_name) != bool(self.secret_key):
            given, missing = ("secret-name", "secret-key") if self.secret_name else ("secret-key", "secret-name")
            raise ValueError(f"{given} needs {missing} beside it: the Secret, and the key of the file in it")
        return self

    @model_validator(mode="after")
    def _volume_is_whole(self) -> KanikoBuilderConfig:
        if (self.context_volume is None) != (self.context_volume_path is None):
            raise ValueError(
                "context-volume and context-volume-path go together: the claim, and where the agent has it mounted"
            )
        return self
