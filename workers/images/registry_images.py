"""What registries tell of images, for builders that have no engine to ask.

Nothing here raises: an image may be built and run by those who reach a registry that the agent does not.
"""

from __future__ import annotations

from collections.abc import Callable

from broker_config.errors import LaunchyardError
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login, docker_login
from broker_config.oci.references import Reference, host_of
from workers.images.bases import Base


def base_of(image: str) -> Base | None:
    """An image to build upon, as its registry shows it to the agent's docker login."""
    reference = Reference.parse(image)
    repository = reference.repository
    try:
        digest = Distribution(repository, lambda: docker_login(host_of(repository)), "").digest(reference.wanted)
    except LaunchyardError:
        return None
    return Base(digest) if digest else None


def size_of(image: str, login: Callable[[], Login | None]) -> int | None:
    """The bytes that a pull of all of an image transfers; None for one of several platforms."""
    reference = Reference.parse(image)
    try:
        return Distribution(reference.repository, login, "").size(reference.wanted)
    except LaunchyardError:
        return None
