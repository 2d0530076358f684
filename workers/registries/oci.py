"""The part of the OCI distribution API that tells whether images can be pushed to a repository.

Source of the formats: "OCI Distribution Specification", and "Token Authentication Specification" of the CNCF registry.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen

from broker_config.errors import ConfigError
from workers.registries.docker_login import login_for

ANSWER_SECONDS = 10

DOCKER_HUB = "docker.io"
_HUB_API, _HUB_LOGIN = "registry-1.docker.io", "https://index.docker.io/v1/"

_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+)(?::\d+)?")
"""Registries that docker speaks to without TLS."""

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered; an error is an answer too."""

    status: int
    headers: Message
    body: bytes


class Repository:
    """One repository of a registry."""

    def __init__(self, name: str) -> None:
        """`name` is as in docker's commands: `registry/path/name`, or `user/name` at Docker Hub."""
        host, _, path = name.partition("/")
        is_hub = host == DOCKER_HUB or not ("." in host or ":" in host or host == "localhost")
        self._path = name if is_hub and host != DOCKER_HUB else path
        self.registry = _HUB_LOGIN if is_hub else host
        api = _HUB_API if is_hub else host
        self._url = f"{'http' if _LOOPBACK.fullmatch(api) else 'https'}://{api}"

    def check_push(self) -> None:
        """Begin an upload with the credentials of `docker login`, and cancel it.

        Raises:
            ConfigError: when the registry does not answer, or does not take it.
        """
        authorization = self._authorization()
        begun = self._ask("POST", f"{self._url}/v2/{self._path}/blobs/uploads/", authorization)
        if begun.status not in {201, 202}:
            raise ConfigError(f"it takes no image for {self._path}: {_words(begun)}; {self._cure}")
        upload = urljoin(self._url, begun.headers.get("Location", ""))
        # The credentials are for nobody else; and a registry forgets uploads that nobody goes on with.
        if upload.startswith(f"{self._url}/"):
            self._ask("DELETE", upload, authorization)

    @property
    def _cure(self) -> str:
        where = "" if self.registry == _HUB_LOGIN else f" {self.registry}"
        return f"let the agent's user run: docker login{where}, with an account that may push there"

    def _authorization(self) -> str:
        """The header that the registry asks for; empty when it asks for none."""
        asked = self._ask("GET", f"{self._url}/v2/", "")
        if asked.status != 401:
            return ""
        kind, _, words = asked.headers.get("WWW-Authenticate", "").partition(" ")
        login = login_for(self.registry)
        basic = "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode() if login else ""
        if kind.lower() != "bearer":
            return basic
        challenge = dict(_CHALLENGE.findall(words))
        scope = {"service": challenge.get("service", ""), "scope": f"repository:{self._path}:pull,push"}
        answer = self._ask("GET", f"{challenge.get('realm', '')}?{urlencode(scope)}", basic)
        if answer.status != 200:
            raise ConfigError(f"it gives no token: {_words(answer)}; {self._cure}")
        found = json.loads(answer.body)
        return f"Bearer {found.get('token') or found.get('access_token', '')}"

    def _ask(self, method: str, url: str, authorization: str) -> Answer:
        request = Request(url, method=method, headers={"Authorization": authorization} if authorization else {})
        try:
            with urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            return Answer(error.code, error.headers, error.read())
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ConfigError(f"it does not answer: {reason}; check its address and the network") from error


def _words(answer: Answer) -> str:
    """The registry's own words, where it has some."""
    try:
        errors = json.loads(answer.body)["errors"]
        return "; ".join(str(error.get("message") or error.get("code")) for error in errors) or f"HTTP {answer.status}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {answer.status}"
