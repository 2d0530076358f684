"""What the agent's config says to every builder that makes images from code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from broker_config.frozen import Frozen
from broker_config.jobs import ENVIRONMENT_NAME
from workers.config.caches import Cache
from workers.config.images import Repository
from workers.config.platforms import Platforms

SecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]

IMAGE = r"^[^\s-]\S*$"


def _check_index(url: str) -> str:
    if re.fullmatch(r"https?://[^\s\"'$@]+", url) is None:
        raise ValueError(
            "an index is http:// or https://, without a user and password: these belong into a secret with id netrc, "
            "as in secrets: {netrc: {file: PATH}}"
        )
    return url


IndexUrl = Annotated[str, AfterValidator(_check_index)]


class Block(Frozen):
    """Keys are written with hyphens, as W&B Launch does, or with underscores."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    ahead: bool | Annotated[int, Field(ge=1, le=64)] = False
    """Whether to build for runs that wait in the agent's queues; a number: how many builds there may be at once, with
    those of claimed runs. `true` is 1."""


class BuildSecret(Frozen):
    """Where the value of a build's secret is: in the agent's environment, or in a file on its machine."""

    env: str | None = Field(default=None, pattern=rf"^{ENVIRONMENT_NAME.pattern}$")
    file: Path | None = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> BuildSecret:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is written as {env: NAME} or {file: PATH}: where its value is, never the value")
        return self


class ImageBuilderConfig(Block):
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

    python_image: str = Field(default="python:{python}-slim", alias="python-image", pattern=IMAGE)
    """What written Dockerfiles build upon; `{python}` stands for the version, such as 3.12. Its tag names no release of
    Debian, and so is that of the current one; each build pins it by its digest."""

    uv_image: str | None = Field(default=None, alias="uv-image", pattern=IMAGE)
    """An image with the file `/uv`, such as uv's own. Absent: uv is installed with pip, from the index."""

    conda_image: str = Field(default="mambaorg/micromamba:2", alias="conda-image", pattern=IMAGE)
    """An image with the file `/bin/micromamba`, for code with an environment.yml."""


class CachingBuilderConfig(ImageBuilderConfig):
    """What BuildKit is told, in an engine or by itself."""

    cache_from: tuple[Cache, ...] = Field(default=(), alias="cache-from")
    """Where builds look for layers that other machines have made, as `docker buildx build --cache-from` names them."""

    cache_to: tuple[Cache, ...] = Field(default=(), alias="cache-to")
    """Where builds put their layers for others, as `docker buildx build --cache-to` names it."""
