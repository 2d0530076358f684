"""The builder block of the agent's config, for type docker."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from broker_config.errors import ConfigError, InvalidRequest
from broker_config.frozen import Frozen, parse

LOCAL_REPOSITORY = "launchyard/job"
"""Images that stay on the engine. The name has no registry, so a push of it by mistake goes nowhere of ours."""


class DockerBuilderOptions(Frozen):
    """Options of the docker builder; `destination` and `platform` are W&B Launch's."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    destination: str | None = Field(default=None, pattern=r"^[a-z0-9][\w.:-]*(/[a-z0-9][a-z0-9._-]*)+$")
    """Repository to push to, as `registry/path/name` without a tag; absent: images stay on this engine. The push uses
    the credentials of the agent's `docker login`."""

    platform: Literal["linux/amd64", "linux/arm64"] | None = None
    """What to build for; absent: the engine's own platform."""

    build_args: dict[str, str] = Field(default_factory=dict, alias="build-args")
    """Values for the `ARG`s of Dockerfiles. They can be read from the image, so no secret belongs here."""

    @property
    def repository(self) -> str:
        """Where images are named."""
        return self.destination or LOCAL_REPOSITORY


def parse_options(options: dict[str, Any]) -> DockerBuilderOptions:
    """The options from plain data.

    Raises:
        ConfigError: when one is unknown or wrong.
    """
    try:
        return parse(DockerBuilderOptions, options, "builder docker")
    except InvalidRequest as error:
        raise ConfigError(str(error)) from error
