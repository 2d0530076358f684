"""Azure Container Registry, which changes a token of Azure's into one of its own ("ACR: AAD-OAuth", "az acr login")."""

from __future__ import annotations

from typing import Protocol

from broker_config.errors import ConfigError
from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login
from broker_config.oci.references import host_of
from workers.config.registry import RegistryConfig

USER = "00000000-0000-0000-0000-000000000000"
"""Says that the password is a refresh token."""

SCOPE = "https://containerregistry.azure.net/.default"
CURE = "give the agent's Azure identity the role AcrPush on the registry"


class Tokens(Protocol):
    """What it needs of its environment."""

    def token(self, scope: str) -> str: ...


class AcrRegistry:
    """A push creates its repository."""

    def __init__(self, config: RegistryConfig, environment: Tokens) -> None:
        self.repository = config.uri
        self._host = host_of(config.uri)
        self._transport = Transport(ca_file=config.ca_file)
        self._url = self._transport.url_of(self._host)
        self._tokens = environment
        self._api = Distribution(config.uri, self.login, CURE, self._transport)

    def digest(self, tag: str) -> str | None:
        return self._api.digest(tag)

    def login(self) -> Login | None:
        form = {"grant_type": "access_token", "service": self._host, "access_token": self._tokens.token(SCOPE)}
        answer = self._transport.ask("POST", f"{self._url}/oauth2/exchange", form=form)
        token = answer.field("refresh_token")
        if answer.status != 200 or not token:
            raise ConfigError(f"registry {self._host} takes no token of Azure's: {answer.words}; {CURE}")
        return Login(USER, token)

    def prepare(self) -> None:
        pass

    def check(self) -> str:
        return self._api.check()

    def check_pull(self) -> str:
        return self._api.check_pull()

    def remove(self, digest: str) -> str:
        return self._api.remove(digest)
