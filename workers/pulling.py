"""How images are pulled, and with what login: the agent's own registry's, a cloud's, or that of `docker login`.

Targets ask at the moment of a pull, as tokens of registries end after hours. What they get is written down nowhere.
"""

from __future__ import annotations

import threading
import time
from functools import partial

from broker_config.errors import ConfigError
from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login, docker_login
from broker_config.oci.references import Reference, host_of
from broker_config.states import FailureClass, Reason
from workers.clouds import registry_of
from workers.config import AgentConfig
from workers.config.images import CLOUDS, kind_of
from workers.config.registry import AnyRegistryConfig, RegistryConfig
from workers.failures import RunFailed
from workers.registries.protocol import Registry

LOGIN_SECONDS = 60.0
"""How long a registry's login is handed on, so that many submits are not many questions. It is good for an hour."""

CURE = "let the agent's credentials for its registry, or its user's docker login, have the right to pull it"


class Pulls:
    """What one agent knows of images that are not its own, and hands on to its targets."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._registries: dict[str, Registry] = {}
        self._known: dict[str, tuple[Login | None, float]] = {}
        self._lock = threading.Lock()

    def login(self, image: str) -> Login | None:
        """The login that a pull of the image needs, a minute old at most; None where none is known, which may do.

        Raises:
            RunFailed: class CONFIG, when the agent's registry gives it none, or docker's config cannot be read.
            TemporaryError: when the registry, or its cloud, does not answer.
        """
        repository = Reference.parse(image).repository
        try:
            registry = self._registry_at(host_of(repository), repository)
            return self._login_at(host_of(repository), registry) if registry else docker_login(host_of(repository))
        except ConfigError as error:
            text = f"the agent has no login to pull {image}: {error}"
            raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text) from error

    def _login_at(self, host: str, registry: Registry) -> Login | None:
        with self._lock:
            login, until = self._known.get(host, (None, 0.0))
        if time.monotonic() >= until:
            login = registry.login()
            with self._lock:
                self._known[host] = (login, time.monotonic() + LOGIN_SECONDS)
        return login

    def repository(self, repository: str) -> Distribution:
        """Any repository, asked with the login that a pull from it has."""
        own = self._config.destination
        transport = Transport()
        if isinstance(own, RegistryConfig) and host_of(own.uri) == host_of(repository):
            transport = Transport(own.plain_http, own.ca_file)
        return Distribution(repository, partial(self.login, repository), CURE, transport)

    def _registry_at(self, host: str, repository: str) -> Registry | None:
        with self._lock:
            if host not in self._registries and (config := self._config_of(host, repository)) is not None:
                self._registries[host] = registry_of(self._config, config)
            return self._registries.get(host)

    def _config_of(self, host: str, repository: str) -> AnyRegistryConfig | None:
        """The agent's own registry, or one in the cloud whose credentials the agent uses."""
        own = self._config.destination
        if own and host_of(own.uri) == host:
            return own
        kind, environment = kind_of(repository), self._config.environment
        if environment is None or CLOUDS.get(kind) != environment.type:
            return None
        try:
            return RegistryConfig(type=kind, uri=repository)
        except ValueError:
            # No such repository can be there, and whoever pulls says so in the registry's words.
            return None
