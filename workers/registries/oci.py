"""Any registry that speaks the OCI distribution API, with the credentials of `docker login`."""

from __future__ import annotations

from workers.config.registry import RegistryConfig
from workers.registries.distribution import DOCKER_HUB, HUB_LOGIN, Distribution, host_of
from workers.registries.docker_login import login_for
from workers.registries.protocol import Login


class OciRegistry:
    """Most registries create a repository when an image is pushed to it, so that `prepare` has nothing to do."""

    def __init__(self, config: RegistryConfig, environment: None) -> None:
        self.repository = config.uri
        host = host_of(config.uri)
        self._name = HUB_LOGIN if host == DOCKER_HUB else host
        where = "" if host == DOCKER_HUB else f" {host}"
        cure = f"let the agent's user run: docker login{where}, with an account that may push there"
        self._api = Distribution(config, self.login, cure)

    def digest(self, tag: str) -> str | None:
        return self._api.digest(tag)

    def login(self) -> Login | None:
        return login_for(self._name)

    def prepare(self) -> None:
        pass

    def check(self) -> str:
        return self._api.check()
