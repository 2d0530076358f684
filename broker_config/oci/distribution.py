"""The part of the OCI distribution API that tells which images a repository has, and whether it takes one.

Source of the formats: "OCI Distribution Specification".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from urllib.parse import urljoin

from broker_config.errors import ConfigError
from broker_config.oci.answers import Answer, Transport
from broker_config.oci.logins import Login
from broker_config.oci.references import DOCKER_HUB, host_of, path_of
from broker_config.oci.tokens import Authorization

_HUB_API = "registry-1.docker.io"

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
"""401 is also for a token that was given without the right to pull, as Docker Hub does for a repository that lacks."""

_DELETED = {200, 202, 204, 404}

_NOBODYS_TAG = "launchyard-check"


class Distribution:
    """One repository, asked with a login."""

    def __init__(
        self, repository: str, login: Callable[[], Login | None], cure: str, transport: Transport | None = None
    ) -> None:
        self._transport = transport or Transport()
        self._path = path_of(repository)
        host = host_of(repository)
        self._url = self._transport.url_of(_HUB_API if host == DOCKER_HUB else host)
        self._authorization = Authorization(self._path, login, cure, self._transport)
        self._cure = cure

    def digest(self, reference: str) -> str | None:
        """The digest of the image with that tag, or that digest; None when the registry shows none.

        Raises:
            ConfigError: when the registry does not take the login.
            TemporaryError: when it does not answer.
        """
        found = self._manifest("HEAD", reference)
        if found.status in _SHOWS_NONE:
            return None
        digest = found.headers.get("Docker-Content-Digest")
        if found.status == 200 and not digest:
            # It must be there for a pull by digest to work, but not all say it.
            found = self._manifest("GET", reference)
            digest = "sha256:" + hashlib.sha256(found.body).hexdigest()
        if found.status != 200 or not digest:
            raise ConfigError(
                f"{self._path}:{reference} cannot be looked up: {found.words}; check the registry's address"
            )
        return digest

    def size(self, reference: str) -> int | None:
        """The bytes of an image's config and layers, as they are stored; None when it is shown none, or is an index.

        Raises:
            ConfigError: when the registry does not take the login.
            TemporaryError: when it does not answer.
        """
        found = self._manifest("GET", reference)
        try:
            manifest = json.loads(found.body)
            return sum(int(part["size"]) for part in (manifest["config"], *manifest["layers"]))
        except (ValueError, KeyError, TypeError):
            return None

    def check(self) -> str:
        """Begin an upload, and cancel it.

        Raises:
            ConfigError: when the registry does not take it.
            TemporaryError: when it does not answer.
        """
        begun = self._ask("POST", f"{self._url}/v2/{self._path}/blobs/uploads/", "pull,push")
        if begun.status not in {201, 202}:
            cure = "create the repository, or check its name" if begun.status == 404 else self._cure
            raise ConfigError(f"it takes no image for {self._path}: {begun.words}; {cure}")
        upload = urljoin(self._url, begun.headers.get("Location", ""))
        # The credentials are for nobody else. Some want another right for it; they forget uploads that end there, too.
        if upload.startswith(f"{self._url}/"):
            self._transport.ask("DELETE", upload, self._authorization.held("pull,push"))
        return "takes images"

    def check_pull(self) -> str:
        """Look for an image that need not be there.

        Raises:
            ConfigError: when the registry shows this login nothing.
            TemporaryError: when it does not answer.
        """
        found = self._manifest("GET", _NOBODYS_TAG)
        if found.status not in {200, 404}:
            raise ConfigError(f"it shows no image of {self._path}: {found.words}; {self._cure}")
        return "gives images"

    def remove(self, digest: str) -> str:
        """Delete the image of that digest. Returns why the registry keeps it; nothing when it is gone.

        Raises:
            ConfigError: when the registry does not take the login.
            TemporaryError: when it does not answer.
        """
        done = self._ask("DELETE", f"{self._url}/v2/{self._path}/manifests/{digest}", "pull,delete")
        if done.status in _DELETED:
            return ""
        return f"the registry does not let it be deleted ({done.words}); its own rules or tools have to"

    def _manifest(self, method: str, reference: str) -> Answer:
        return self._ask(method, f"{self._url}/v2/{self._path}/manifests/{reference}", "pull", {"Accept": _MANIFESTS})

    def _ask(self, method: str, url: str, actions: str, headers: dict[str, str] | None = None) -> Answer:
        """Ask with what the registry wanted the last time, and once more with what it wants now."""
        given = headers or {}
        found = self._transport.ask(method, url, {**given, **self._authorization.held(actions)})
        if found.status != 401:
            return found
        wanted = self._authorization.answer(found.headers, actions)
        found = self._transport.ask(method, url, {**given, **wanted})
        if found.status == 401 and wanted["Authorization"].startswith("Basic"):
            raise ConfigError(f"it does not take the login: {found.words}; {self._cure}")
        return found
