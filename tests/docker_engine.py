"""The Docker engine that tests run on, and the images that they build upon."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import docker
import requests
from docker.errors import DockerException, NotFound

from tests.services import require
from workers.targets.docker.marks import Mark

BASE_IMAGE = "python:3.11-slim"


@cache
def _connected() -> docker.APIClient | None:
    try:
        return docker.from_env(timeout=30).api
    except (DockerException, requests.RequestException, OSError):
        return None


def engine() -> docker.APIClient:
    """A client of the engine; skips the test where none answers or the base image is missing."""
    api = _connected()
    require(api is not None, "no docker engine answers; start one and let DOCKER_HOST name it")
    assert api is not None
    require(bool(api.images(BASE_IMAGE)), f"the docker engine has no image {BASE_IMAGE}; see tests/lab/base_image.py")
    return api


def mirrored(registry: str) -> None:
    """Put the base image into a registry on loopback under the path that Docker Hub has it at."""
    copy = f"{registry}/library/{BASE_IMAGE}"
    engine().tag(BASE_IMAGE, *copy.rsplit(":", 1))
    try:
        for event in engine().push(copy, stream=True, decode=True):
            assert "error" not in event, event
    finally:
        engine().remove_image(copy)


def remove_marks(name: str) -> None:
    """Remove what the docker target keeps beside a container of that name."""
    for mark in Mark:
        with suppress(NotFound):
            engine().remove_volume(f"{name}.{mark}")
