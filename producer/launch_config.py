"""A launch config: what `wandb launch --config` takes, as the fields of a launch here.

Keys and their meaning are those of W&B's documentation, "Add job to queue", and of what its client makes of them. A key
that would change what runs and cannot be honoured is refused, so that nobody finds out late; one that changes nothing
here is told about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen, JsonObject, parse
from broker_config.jobs import ImageSource
from producer.launches import LaunchFields
from producer.sources import uri

REFUSED: Mapping[str, str] = {
    "_wandb_api_key": "a key would be stored with the run; the agent gives jobs its own, from WANDB_API_KEY",
    "sweep_id": "sweeps of W&B's are not served; launch each run with its own run_config",
    "image_uri": "write docker.docker_image for an image that runs as it is, or base_image for one that gets the code",
    "run_id": "runs get their ids here; use --idempotency-key to launch one thing once",
    "builder": "the builder is set in the agent's config",
    "registry": "the registry is set in the agent's config, as builder.destination",
    "repository": "the registry is set in the agent's config, as builder.destination",
    "queue_entity": "the queue says who owns it; name that entity with entity",
    "overrides.files": "files of the source are not patched; commit the change, or launch from the folder",
    "overrides.artifacts": "artifacts of W&B's are not known here; name them in run_config",
    "overrides.working_dir": "name a folder of the source with build_context, or a place in the queue config",
}
"""Keys that would change what runs, with what to do instead."""

IGNORED: Mapping[str, str] = {
    "_resume_count": "attempts are counted here",
    "author": "the author is who launches, or what the setting LAUNCHYARD_AUTHOR says",
    "queue": "the queue is the one of the launch",
}
"""Keys that change nothing here, with the reason."""


class Overrides(Frozen):
    """What is changed of the job."""

    args: tuple[str | int | float, ...] = ()
    run_config: JsonObject = Field(default_factory=dict)
    entry_point: tuple[str, ...] = ()
    dockerfile: str | None = None


class Docker(Frozen):
    docker_image: str | None = None


class Git(Frozen):
    version: str | None = None


class LaunchConfig(Frozen):
    """The keys that are honoured."""

    job: str | None = None
    uri: str | None = None
    docker: Docker = Field(default_factory=Docker)
    git: Git = Field(default_factory=Git)
    overrides: Overrides = Field(default_factory=Overrides)
    resource: str | None = None
    resource_args: JsonObject = Field(default_factory=dict)
    additional_services: tuple[JsonObject, ...] = ()
    template_variables: JsonObject = Field(default_factory=dict)
    name: str | None = None
    project: str | None = None
    entity: str | None = None
    priority: int | str | None = None
    build_context: str | None = None
    base_image: str | None = None
    python_version: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a launch that it gives, without its resource_args."""
        given = self.overrides.model_dump(exclude_defaults=True)
        shared = (LaunchFields.__annotations__.keys() & type(self).model_fields.keys()) - {"overrides"}
        given |= self.model_dump(include=set(shared), exclude_none=True, exclude_defaults=True)
        if sum(map(bool, (self.job, self.docker.docker_image, self.uri))) > 1:
            raise InvalidRequest("launch config: job, uri and docker.docker_image each name what to run; choose one")
        if self.docker.docker_image:
            given["source"] = ImageSource(image=self.docker.docker_image)
        if self.uri:
            given["source"] = uri(self.uri, self.git.version)
        return given


def read(data: Mapping[str, Any]) -> tuple[LaunchConfig, list[str]]:
    """The launch config in plain data, and a sentence for each key that changes nothing here.

    Raises:
        InvalidRequest: when a key is unknown, wrong, or one that cannot be honoured.
    """
    kept: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and key in ("overrides", "docker", "git"):
            kept[key] = {below: item for below, item in value.items() if _is_used(f"{key}.{below}", item, notes)}
        elif _is_used(key, value, notes):
            kept[key] = value
    return parse(LaunchConfig, kept, "launch config"), notes


def _is_used(key: str, value: Any, notes: list[str]) -> bool:
    # W&B's own client writes keys with nothing in them.
    if value is None or value in ({}, ""):
        return False
    if key in REFUSED:
        raise InvalidRequest(f"launch config: {key!r} cannot be honoured: {REFUSED[key]}")
    if key in IGNORED:
        notes.append(f"launch config: {key!r} changes nothing here: {IGNORED[key]}")
    return key not in IGNORED
