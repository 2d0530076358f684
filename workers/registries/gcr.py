"""Google Artifact Registry, with an access token for a password ("Artifact Registry: authentication for Docker").

Its repositories are created by their owner; what is pushed are images within one.
"""

from __future__ import annotations

from typing import Protocol

from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login
from workers.config.registry import RegistryConfig

USER = "oauth2accesstoken"
CURE = "give the agent's Google Cloud account the role roles/artifactregistry.writer on the repository"


class Tokens(Protocol):
    """What it needs of its environment."""

    def token(self) -> str: ...


class ArtifactRegistry:
    """An image's name within a repository of Artifact Registry."""

    def __init__(self, config: RegistryConfig, environment: Tokens) -> None:
        self.repository = config.uri
        self._tokens = environment
        self._api = Distribution(config.uri, self.login, CURE, Transport(ca_file=config.ca_file))

    def digest(self, tag: str) -> str | None:
        return self._api.digest(tag)

    def login(self) -> Login | None:
        return Login(USER, self._tokens.token())

    def prepare(self) -> None:
        # Nobody's push creates a repository here, and a build would be in vain.
        self._api.check()

    def check(self) -> str:
        return self._api.check()

    def check_pull(self) -> str:
        return self._api.check_pull()

    def remove(self, digest: str) -> str:
        return self._api.remove(digest)
