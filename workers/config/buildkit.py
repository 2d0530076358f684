"""The block `builder` of the agent's config, where its type is `buildkit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from broker_config.errors import did_you_mean
from broker_config.frozen import Frozen
from workers.config.image_builder import CachingBuilderConfig

_SCHEMES = ("tcp", "unix", "docker-container", "kube-pod", "ssh")


def _check_address(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    if not mark or not rest or scheme not in _SCHEMES:
        raise ValueError(
            f"{address!r} is no address of a BuildKit daemon{did_you_mean(scheme, _SCHEMES)}; write tcp://HOST:1234, "
            "unix:///PATH, docker-container://NAME or kube-pod://POD"
        )
    return address


class BuildkitTls(Frozen):
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


class BuildkitBuilderConfig(CachingBuilderConfig):
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
