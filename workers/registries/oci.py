"""Any registry that speaks the OCI distribution API, with the credentials of `docker login`."""

from __future__ import annotations

from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login, docker_login
from broker_config.oci.references import DOCKER_HUB, host_of
from workers.config.registry import RegistryConfig


class OciRegistry:
    """Most registries create a repository when an image is pushed to it, so that `prepare` has nothing to do."""

    def __init__(self, config: RegistryConfig, environment: None) -> None:
        self.repository = config.uri
        self._host = host_of(config.uri)
        where = "" if self._host == DOCKER_HUB else f" {self._host}"
        cure = f"let the agent's user run: docker login{where}, with an account that may push there"
        self._api = Distribution(config.uri, self.login, cure, Transport(config.plain_http, config.ca_file))

    def digest(self, tag: str) -> str | None:
        return self._api.digest(tag)

    def login(self) -> Login | None:
        return docker_login(self._host)

    def prepare(self) -> None:
        pass

    def check(self) -> str:
        return self._api.check()

    def check_pull(self) -> str:
        return self._api.check_pull()

    def remove(self, digest: str) -> str:
        return self._api.remove(digest)
