"""The blocks `builder` and `venv` of the agent's config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from broker_config.frozen import Frozen, JsonObject
from workers.config.buildkit import BuildkitBuilderConfig
from workers.config.image_builder import IMAGE, Block, CachingBuilderConfig
from workers.config.kaniko import KanikoBuilderConfig


class NoopBuilderConfig(Block):
    """Nothing is built: jobs bring an image, or their code is brought into a base image."""

    type: Literal["noop"] = "noop"

    base_image: Annotated[str, Field(pattern=IMAGE)] | None = Field(default=None, alias="base-image")
    """In which code runs, unless its queue names another. Absent: `python:VERSION-slim`, in the job's version."""


class DockerBuilderConfig(CachingBuilderConfig):
    """Images are built by the Docker engine."""

    type: Literal["docker"] = "docker"


class OtherBuilderConfig(Block):
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
