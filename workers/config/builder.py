"""The blocks `builder` and `venv` of the agent's config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from broker_config.errors import did_you_mean
from broker_config.frozen import Frozen, JsonObject
from broker_config.jobs import ENVIRONMENT_NAME
from workers.config.caches import Cache
from workers.config.images import Repository
from workers.config.platforms import Platforms

STORES = {
    "aws": re.compile(r"s3://[a-z0-9][a-z0-9.-]*(?:/.*)?"),
    "gcp": re.compile(r"gs://[a-z0-9][\w.-]*(?:/.*)?"),
    "azure": re.compile(r"https://[a-z0-9]+\.blob\.core\.windows\.net/[a-z0-9$-]+(?:/.*)?"),
}
"""How build contexts are named, by the environment that can reach them."""

SecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]

_IMAGE = r"^[^\s-]\S*$"

KANIKO_IMAGE = "ghcr.io/osscontainertools/kaniko:v1.28.3"
"""Of the fork that is maintained: the first project was archived in June 2025."""

_KANIKO_ARGUMENT = re.compile(r"--[a-z][a-z-]*=.*")


def _check_index(url: str) -> str:
    if re.fullmatch(r"https?://[^\s\"'$@]+", url) is None:
        raise ValueError(
            "an index is http:// or https://, without a user and password: these belong into a secret with id netrc, "
            "as in secrets: {netrc: {file: PATH}}"
        )
    return url


IndexUrl = Annotated[str, AfterValidator(_check_index)]


_SCHEMES = ("tcp", "unix", "docker-container", "kube-pod", "ssh")


def _check_address(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    if not mark or not rest or scheme not in _SCHEMES:
        raise ValueError(
            f"{address!r} is no address of a BuildKit daemon{did_you_mean(scheme, _SCHEMES)}; write tcp://HOST:1234, "
            "unix:///PATH, docker-container://NAME or kube-pod://POD"
        )
    return address


class _Builder(Frozen):
    """Keys are written with hyphens, as W&B Launch does, or with underscores."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    ahead: bool | Annotated[int, Field(ge=1, le=64)] = False
    """Whether to build for runs that wait in the agent's queues; a number: how many builds there may be at once, with
    those of claimed runs. `true` is 1."""


class NoopBuilderConfig(_Builder):
    """Nothing is built: jobs bring an image, or their code is brought into a base image."""

    type: Literal["noop"] = "noop"

    base_image: Annotated[str, Field(pattern=_IMAGE)] | None = Field(default=None, alias="base-image")
    """In which code runs, unless its queue names another. Absent: `python:VERSION-slim`, in the job's version."""


class BuildSecret(_Builder):
    """Where the value of a build's secret is: in the agent's environment, or in a file on its machine."""

    env: str | None = Field(default=None, pattern=rf"^{ENVIRONMENT_NAME.pattern}$")
    file: Path | None = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> BuildSecret:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is written as {env: NAME} or {file: PATH}: where its value is, never the value")
        return self


class ImageBuilderConfig(_Builder):
    """What all builders of images from code are told."""

    destination: Repository | None = None
    """Repository to push to, as `registry/path/name` without a tag. Absent: the block `registry` says it, and without
    that images stay where they are built."""

    platform: Platforms | None = None
    """What to build for: one platform, or several with commas. Absent: that of the machine that builds."""

    build_args: dict[str, str] = Field(default_factory=dict, alias="build-args")
    """Values for the `ARG`s of Dockerfiles. They can be read from the image, so no secret belongs here."""

    secrets: dict[SecretId, BuildSecret] = Field(default_factory=dict)
    """By the id that `RUN --mount=type=secret,id=...` names. Those with the ids `netrc`, `pip.conf` and `uv.toml` are
    used by Dockerfiles that are written for code which has none."""

    index_url: IndexUrl | None = Field(default=None, alias="index-url")
    """Index of packages for written Dockerfiles, instead of PyPI. A login for it belongs into the secret `netrc`."""

    extra_index_urls: tuple[IndexUrl, ...] = Field(default=(), alias="extra-index-urls")
    """More of them, which are asked first, as uv does."""

    python_image: str = Field(default="python:{python}-slim", alias="python-image", pattern=_IMAGE)
    """What written Dockerfiles build upon; `{python}` stands for the version, such as 3.12. Its tag names no release of
    Debian, and so is that of the current one; each build pins it by its digest."""

    uv_image: str | None = Field(default=None, alias="uv-image", pattern=_IMAGE)
    """An image with the file `/uv`, such as uv's own. Absent: uv is installed with pip, from the index."""

    conda_image: str = Field(default="mambaorg/micromamba:2", alias="conda-image", pattern=_IMAGE)
    """An image with the file `/bin/micromamba`, for code with an environment.yml."""


class _CachingBuilderConfig(ImageBuilderConfig):
    """What BuildKit is told, in an engine or by itself."""

    cache_from: tuple[Cache, ...] = Field(default=(), alias="cache-from")
    """Where builds look for layers that other machines have made, as `docker buildx build --cache-from` names them."""

    cache_to: tuple[Cache, ...] = Field(default=(), alias="cache-to")
    """Where builds put their layers for others, as `docker buildx build --cache-to` names it."""


class DockerBuilderConfig(_CachingBuilderConfig):
    """Images are built by the Docker engine."""

    type: Literal["docker"] = "docker"


class BuildkitTls(_Builder):
    """What a daemon is known by, and what it knows the agent by: files in PEM."""

    ca: Path | None = None
    """Authorities that the daemon's certificate may come from. Absent: those of the system."""

    cert: Path | None = None
    """The agent's certificate, for a daemon that asks for one."""

    key: Path | None = None
    """Its key."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> BuildkitTls:
        if bool(self.cert) != bool(self.key):
            given, missing = ("cert", "key") if self.cert else ("key", "cert")
            raise ValueError(f"{given} needs {missing} beside it: the agent's certificate, and its key")
        return self

    @property
    def files(self) -> Mapping[str, Path]:
        """By buildx's names."""
        named = {"cacert": self.ca, "cert": self.cert, "key": self.key}
        return {name: path for name, path in named.items() if path}


class BuildkitBuilderConfig(_CachingBuilderConfig):
    """Images are built by a BuildKit daemon by itself, and pushed from there."""

    type: Literal["buildkit"] = "buildkit"

    address: Annotated[str, AfterValidator(_check_address)] | None = None
    """Where the daemon is: `tcp://`, `unix://`, `docker-container://` or `kube-pod://`. Absent: `BUILDKIT_HOST`."""

    tls: BuildkitTls | None = None
    """For `tcp://`. Absent: no TLS."""

    @model_validator(mode="after")
    def _tls_is_over_tcp(self) -> BuildkitBuilderConfig:
        if self.tls and self.address and not self.address.startswith("tcp://"):
            raise ValueError(f"tls is for tcp:// addresses, and {self.address} is none; leave it out")
        return self


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
        default="wandb-launch-container-build", alias="build-job-name", pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
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


class OtherBuilderConfig(_Builder):
    """A builder of another package, which reads its options itself."""

    type: str
    options: JsonObject = Field(default_factory=dict)


BuilderConfig = (
    NoopBuilderConfig | DockerBuilderConfig | BuildkitBuilderConfig | KanikoBuilderConfig | OtherBuilderConfig
)

BUILDERS: Mapping[str, type[BuilderConfig]] = {
    "buildkit": BuildkitBuilderConfig,
    "docker": DockerBuilderConfig,
    "kaniko": KanikoBuilderConfig,
    "noop": NoopBuilderConfig,
}
"""The models of the built-in types."""


class VenvConfig(Frozen):
    """The environments that are made for local-process queues."""

    installer: Literal["uv", "pip"] | None = None
    """Absent: uv where there is one, else pip."""

    install_args: tuple[str, ...] = ()
    """Given to `uv pip install` or `pip install`, such as an index; credentials belong into its own config."""

    download_python: bool = False
    """Whether uv may download a version of Python that the machine has not."""
