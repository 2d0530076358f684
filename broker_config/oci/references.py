"""Names of images, as docker writes them: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"

_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?")


@dataclass(frozen=True, slots=True)
class Reference:
    """One image of a repository."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, image: str) -> Reference:
        """The parts of an image's name."""
        name, _, digest = image.partition("@")
        head, slash, last = name.rpartition("/")
        last, _, tag = last.partition(":")
        return cls(f"{head}{slash}{last}", tag, digest)

    @property
    def wanted(self) -> str:
        """What a registry is asked for: the digest before the tag, and docker's own tag where there is neither."""
        return self.digest or self.tag or "latest"


def host_of(repository: str) -> str:
    """The registry's host, with its port; Docker Hub's for a name that has none."""
    host, slash, _ = repository.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    return host if is_host and host != "index.docker.io" else DOCKER_HUB


def path_of(repository: str) -> str:
    """The repository's name within its registry. Docker Hub's own images are in `library`."""
    host, _, path = repository.partition("/")
    if host_of(repository) != DOCKER_HUB:
        return path
    name = path if host in {DOCKER_HUB, "index.docker.io"} else repository
    return name if "/" in name else f"library/{name}"


def is_loopback(host: str) -> bool:
    """Whether docker speaks to that host without TLS."""
    return _LOOPBACK.fullmatch(host) is not None
