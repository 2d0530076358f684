"""What a registry wants to see of a login: a user and password, or a token for one repository that ends after minutes.

Source of the formats: "Token Authentication Specification" and "OAuth2 Token Authentication" of the CNCF registry.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlencode, urlsplit

from broker_config.errors import ConfigError
from broker_config.oci.answers import Answer, Transport
from broker_config.oci.logins import Login
from broker_config.oci.references import is_loopback

CLIENT = "launchyard"

TOKEN_SECONDS = 60.0
"""How long a token is good that does not say it; so the specification."""

_EARLY = 0.9
"""The part of its time after which a token is not used any more: clocks differ, and requests take a while."""

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))')
_NO_GET = {404, 405}
"""Answers of a token server that only knows OAuth2's POST."""


@dataclass(frozen=True, slots=True)
class _Held:
    header: str
    until: float  # on the monotonic clock


class Authorization:
    """The header that a registry asks for, for one repository; kept by what it is good for."""

    def __init__(self, path: str, login: Callable[[], Login | None], cure: str, transport: Transport) -> None:
        self._path = path
        self._login = login
        self._cure = cure
        self._transport = transport
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def held(self, actions: str) -> dict[str, str]:
        """The header from before, while it is good for these actions (`pull`, or `pull,push`)."""
        with self._lock:
            held = self._held.get(actions)
            return {"Authorization": held.header} if held and time.monotonic() < held.until else {}

    def answer(self, headers: Message, actions: str) -> dict[str, str]:
        """The header for a registry that has just said, with these headers, what it wants.

        Raises:
            ConfigError: when it does not take the login.
            TemporaryError: when who gives its tokens does not answer.
        """
        challenges = _challenges(headers)
        login = self._login()
        if "bearer" in challenges:
            given = self._token(challenges["bearer"], actions, login)
            seconds = given.number("expires_in", TOKEN_SECONDS)
            found = _Held(f"Bearer {given.field('token', 'access_token')}", time.monotonic() + _EARLY * seconds)
        elif login and "basic" in challenges:
            found = _Held(f"Basic {login.basic}", time.monotonic() + TOKEN_SECONDS)
        else:
            raise ConfigError(f"it wants a login, and there is none; {self._cure}")
        with self._lock:
            self._held[actions] = found
        return {"Authorization": found.header}

    def _token(self, challenge: Mapping[str, str], actions: str, login: Login | None) -> Answer:
        realm = challenge.get("realm", "")
        self._check_realm(realm)
        wanted = {"service": challenge.get("service", ""), "scope": f"repository:{self._path}:{actions}"}
        if login and login.is_identity_token:
            given = self._posted(realm, wanted, {"grant_type": "refresh_token", "refresh_token": login.password})
        else:
            basic = {"Authorization": f"Basic {login.basic}"} if login else {}
            mark = "&" if "?" in realm else "?"
            given = self._transport.ask("GET", f"{realm}{mark}{urlencode(wanted)}", basic)
            if given.status in _NO_GET and login:
                password = {"grant_type": "password", "username": login.user, "password": login.password}
                given = self._posted(realm, wanted, password)
        if given.status != 200 or not given.field("token", "access_token"):
            raise ConfigError(f"it gives no token: {given.words}; {self._cure}")
        return given

    def _posted(self, realm: str, wanted: Mapping[str, str], grant: Mapping[str, str]) -> Answer:
        return self._transport.ask("POST", realm, form={**wanted, **grant, "client_id": CLIENT})

    def _check_realm(self, realm: str) -> None:
        """The registry says where the login is to be sent, which must not be in clear."""
        url = urlsplit(realm)
        is_clear = url.scheme == "http" and (self._transport.plain_http or is_loopback(url.netloc))
        if url.scheme != "https" and not is_clear:
            raise ConfigError(f"it wants the login sent to {realm!r}, without TLS; check the registry's address")


def _challenges(headers: Message) -> dict[str, dict[str, str]]:
    """What a registry wants, by kind, in lower case."""
    found = {}
    for line in headers.get_all("WWW-Authenticate") or []:
        kind, _, words = line.partition(" ")
        found[kind.lower()] = {name: quoted or plain for name, quoted, plain in _PARAMETER.findall(words)}
    return found
