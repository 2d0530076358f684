"""What the images that a build begins with are now, as their registries show them to the agent."""

from __future__ import annotations

from broker_config.errors import LaunchyardError
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import docker_login
from broker_config.oci.references import Reference, host_of
from workers.config.kaniko import KanikoBuilderConfig
from workers.images.bases import Base, Bases

_MIRRORS = ("--registry-mirror=", "--registry-map=")


def bases_of(config: KanikoBuilderConfig) -> Bases:
    """Nothing is known where kaniko has mirrors: what these have may be another image of that name."""
    spec = ((config.kaniko_config.get("spec") or {}).get("template") or {}).get("spec") or {}
    arguments = [argument for one in spec.get("containers") or () for argument in one.get("args") or ()]
    has_mirrors = any(argument.startswith(_MIRRORS) for argument in arguments)
    return Bases((lambda _: None) if has_mirrors else _shown)


def _shown(image: str) -> Base | None:
    named = Reference.parse(image)
    host = host_of(named.repository)
    try:
        repository = Distribution(named.repository, lambda: docker_login(host), f"run: docker login {host}")
        digest = repository.digest(named.wanted)
    except LaunchyardError:
        # Whether it can be had is for kaniko to say, which may have other ways and logins.
        return None
    return Base(digest) if digest else None
