"""The part of the OCI distribution API that tells which images a repository has, and whether it takes one.

Source of the formats: "OCI Distribution Specification", and "Token Authentication Specification" of the CNCF registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode, urljoin

from broker_config.errors import ConfigError
from broker_config.oci.answers import Answer, ask
from broker_config.oci.logins import Login
from broker_config.oci.references import DOCKER_HUB, host_of, path_of, url_of

_HUB_API = "registry-1.docker.io"

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""All that an image may be; a registry hides, or converts, what is not accepted."""

_SHOWS_NONE = {401, 403, 404}


class Distribution:
    """One repository, asked with a login."""

    def __init__(
        self, repository: str, login: Callable[[], Login | None], cure: str, *, plain_http: bool = False
    ) -> None:
        self._path = path_of(repository)
        host = host_of(repository)
        self._url = url_of(_HUB_API if host == DOCKER_HUB else host, plain=plain_http)
        self._login = login
        self._cure = cure

    def digest(self, tag: str) -> str | None:
        """The digest of the image with that tag.

        Raises:
            ConfigError: when the registry does not take the login.
            TemporaryError: when it does not answer.
        """
        headers = {**self._authorization("pull"), "Accept": _MANIFESTS}
        found = ask("HEAD", f"{self._url}/v2/{self._path}/manifests/{tag}", headers)
        if found.status in _SHOWS_NONE:
            return None
        digest = found.headers.get("Docker-Content-Digest")
        if found.status != 200 or not digest:
            raise ConfigError(f"{self._path}:{tag} cannot be looked up: {found.words}; check the registry's address")
        return digest

    def check(self) -> str:
        """Begin an upload, and cancel it.

        Raises:
            ConfigError: when the registry does not take it.
            TemporaryError: when it does not answer.
        """
        headers = self._authorization("pull,push")
        begun = ask("POST", f"{self._url}/v2/{self._path}/blobs/uploads/", headers)
        if begun.status not in {201, 202}:
            raise ConfigError(f"it takes no image for {self._path}: {begun.words}; {self._cure}")
        upload = urljoin(self._url, begun.headers.get("Location", ""))
        # The credentials are for nobody else; and a registry forgets uploads that nobody goes on with.
        if upload.startswith(f"{self._url}/"):
            ask("DELETE", upload, headers)
        return "takes images"

    def _authorization(self, actions: str) -> dict[str, str]:
        """The header that the registry asks for; none when it asks for none."""
        asked = ask("GET", f"{self._url}/v2/")
        if asked.status != 401:
            return {}
        kind, _, words = asked.headers.get("WWW-Authenticate", "").partition(" ")
        login = self._login()
        basic = {"Authorization": f"Basic {login.basic}"} if login else {}
        if kind.lower() != "bearer":
            return basic
        return {"Authorization": f"Bearer {self._token(dict(_CHALLENGE.findall(words)), actions, basic)}"}

    def _token(self, challenge: dict[str, str], actions: str, basic: dict[str, str]) -> str:
        scope = {"service": challenge.get("service", ""), "scope": f"repository:{self._path}:{actions}"}
        answer: Answer = ask("GET", f"{challenge.get('realm', '')}?{urlencode(scope)}", basic)
        token = answer.field("token", "access_token")
        if answer.status != 200 or not token:
            raise ConfigError(f"it gives no token: {answer.words}; {self._cure}")
        return token
