"""The builder's connection to the Docker engine, and the one place where docker's exceptions become ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound

from broker_config.errors import ConfigError, TemporaryError
from workers.builders.protocol import Push
from workers.failures import RunCancelled
from workers.images.bases import Base
from workers.images.failing import not_pushed

FIRST_ANSWER_SECONDS = 5
ANSWER_SECONDS = 120

_IMAGE_STORE = "io.containerd.snapshotter.v1"


@dataclass(frozen=True, slots=True)
class LocalImage:
    """What the engine knows of an image that it has."""

    labels: Mapping[str, str]
    size_bytes: int | None


class Engine:
    """The engine that the docker CLI would use: `DOCKER_HOST`, or else docker's current context."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            ConfigError: when no engine answers.
        """
        try:
            self.api = docker.from_env(timeout=FIRST_ANSWER_SECONDS).api
            version, info = self.api.version(), self.api.info()
        except (DockerException, requests.RequestException, OSError) as error:
            raise ConfigError(
                f"builder docker: no docker engine answers: {error}; start one, have DOCKER_HOST or docker's context "
                "name it, and let the agent's user use it (group docker)"
            ) from error
        self.api.timeout = ANSWER_SECONDS
        # Whoever asks what a base image is would rather not know than wait for a registry that does not answer.
        self._asking = docker.from_env(timeout=FIRST_ANSWER_SECONDS).api
        self.id = str(info["ID"])
        self.platform = f"{version['Os']}/{version['Arch']}"
        # Only with this store can its BuildKit push, write a cache beside the image, and keep several platforms.
        self.has_image_store = ["driver-type", _IMAGE_STORE] in (info.get("DriverStatus") or [])

    def image(self, reference: str) -> LocalImage | None:
        """An image on the engine, or `None` if it is not there."""
        with answering():
            try:
                found: dict[str, Any] = self.api.inspect_image(reference)  # type: ignore[no-untyped-call]  # not in the stubs
            except ImageNotFound:
                return None
            return LocalImage((found.get("Config") or {}).get("Labels") or {}, found.get("Size"))

    def remove(self, reference: str) -> str:
        """Remove an image. Returns why the engine keeps it; nothing when it is gone."""
        with answering():
            try:
                self.api.remove_image(reference)
            except ImageNotFound:
                return ""
            except APIError as error:
                # A container was made from it; a stopped one counts.
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                return str(error.explanation)
            return ""

    def can_pull(self, reference: str) -> bool:
        """Whether the engine's registry gives it."""
        with answering():
            try:
                self.api.inspect_distribution(reference)  # type: ignore[no-untyped-call]  # not in the stubs
            except APIError:
                return False
            return True

    def base(self, image: str) -> Base | None:
        """An image to build upon, as its registry shows it now, or else as this engine has it."""
        try:
            found: dict[str, Any] = self._asking.inspect_image(image)  # type: ignore[no-untyped-call]  # not in the stubs
        except (DockerException, requests.RequestException):
            found = {}
        # An image without a digest was made on this engine: no registry knows it.
        if not found or found.get("RepoDigests"):
            try:
                shown = self._asking.inspect_distribution(image)  # type: ignore[no-untyped-call]  # not in the stubs
                return Base(shown["Descriptor"]["digest"])
            except (DockerException, requests.RequestException):
                pass
        if not found:
            return None
        names = [name for name in found.get("RepoDigests") or () if "@" in name]
        return Base(names[0].partition("@")[2] if names else found["Id"], in_registry=False)

    def push(self, push: Push, log: Callable[[str], None], cancelled: Callable[[], bool]) -> None:
        """Push an image, with the login that its registry gives or else with that of the agent's docker.

        Raises:
            RunFailed: class BUILD, when the registry refuses it.
            RunCancelled: when `cancelled` said yes; the engine ends a push that nobody reads.
            TemporaryError: when the engine or the registry did not answer.
        """
        log(f"pushing {push.reference}")
        login = push.login()
        auth = login.for_engine if login else None
        with answering():
            try:
                for event in self.api.push(push.reference, stream=True, decode=True, auth_config=auth):
                    if cancelled():
                        raise RunCancelled("the push was cancelled")
                    # A failed push raises nothing: it is one of the events.
                    if "error" in event:
                        raise not_pushed(push.reference, str(event["error"]))
            except APIError as error:
                raise not_pushed(push.reference, error.explanation or str(error)) from error


@contextmanager
def answering() -> Iterator[None]:
    """Translate docker's exceptions; whoever knows a better word for one of them catches it inside.

    Raises:
        TemporaryError: when the engine does not answer, or fails.
    """
    try:
        yield
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise TemporaryError(f"the docker engine does not answer: {error}; check that it runs") from error
