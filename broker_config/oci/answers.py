"""Requests to registries, and what they answer; an error is an answer too."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from broker_config.errors import ConfigError, LaunchyardError, TemporaryError
from broker_config.oci.references import is_loopback

ANSWER_SECONDS = 10
PAUSES_SECONDS = (0.3, 1.0)
"""Between the tries."""

LONGEST_PAUSE_SECONDS = 5.0
"""Who is to wait longer is told so, and does something else meanwhile."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered."""

    status: int
    headers: Message
    body: bytes

    @property
    def words(self) -> str:
        """The registry's own words, where it has some."""
        try:
            errors = json.loads(self.body)["errors"]
            said = "; ".join(str(error.get("message") or error.get("code")) for error in errors)
        except (ValueError, KeyError, TypeError, AttributeError):
            said = ""
        return said or f"HTTP {self.status}"

    def field(self, *names: str) -> str:
        """The first of these fields that the body has as a text; empty when it has none."""
        try:
            body: Any = json.loads(self.body)
        except ValueError:
            return ""
        found = (body.get(name) for name in names) if isinstance(body, dict) else ()
        return next((value for value in found if isinstance(value, str)), "")

    def number(self, name: str, otherwise: float) -> float:
        """A field of the body that is a number."""
        try:
            return float(json.loads(self.body)[name])
        except (ValueError, KeyError, TypeError):
            return otherwise


class _Failed(TemporaryError):
    """A registry that fails, or cannot be reached, for now."""

    def __init__(self, text: str, wish_seconds: float = 0.0) -> None:
        super().__init__(text, delay_seconds=max(wish_seconds, 5.0))
        self.wish_seconds = wish_seconds  # how long it wants to be left alone


@dataclass(frozen=True)
class Transport:
    """How a registry is reached."""

    plain_http: bool = False  # without TLS, also elsewhere than on loopback
    ca_file: Path | None = None  # with an authority that Python does not trust by itself

    def url_of(self, host: str) -> str:
        """Where a registry's API is. Docker speaks to loopback without TLS, unless it is told an authority."""
        is_plain = self.plain_http or (is_loopback(host) and not self.ca_file)
        return f"{'http' if is_plain else 'https'}://{host}"

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:
                raise ConfigError(f"ca_file {self.ca_file} has no certificates that can be read: {error}") from error
        return context

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask a registry; again after a moment when it fails, is cut off or has too much to do.

        Raises:
            TemporaryError: when it goes on failing, or wants to be left alone for longer than that.
            ConfigError: when its certificate is not trusted here.
        """
        for pause in PAUSES_SECONDS:
            try:
                return self._ask_once(method, url, headers, form)
            except _Failed as error:
                if error.wish_seconds > LONGEST_PAUSE_SECONDS:
                    raise
                time.sleep(max(pause, error.wish_seconds))
        return self._ask_once(method, url, headers, form)

    def _ask_once(
        self, method: str, url: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None
    ) -> Answer:
        host = urlsplit(url).netloc
        try:
            request = Request(url, method=method, data=urlencode(form).encode() if form else None)
            request.add_header("User-Agent", "launchyard")
            for name, value in (headers or {}).items():
                # Credentials are for nobody to whom a registry may send us on.
                request.add_unredirected_header(name, value)
            with urlopen(request, timeout=ANSWER_SECONDS, context=self._context) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            found = Answer(error.code, error.headers, _read(error))
            if error.code == 429 or error.code >= 500:
                raise _Failed(f"registry {host} {_failing(found)}", _wish(found)) from error
            return found
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise _not_reached(host, getattr(error, "reason", error)) from error


def _read(error: HTTPError) -> bytes:
    """What an error says, which may be cut off: its status is what counts."""
    try:
        return error.read()
    except (HTTPException, OSError):
        return b""


def _not_reached(host: str, reason: object) -> LaunchyardError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ConfigError(
            f"the certificate of registry {host} is not trusted: {reason.verify_message}; name its authority with "
            "ca_file in the block registry, or with SSL_CERT_FILE"
        )
    if isinstance(reason, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(reason):
        return ConfigError(
            f"registry {host} does not speak TLS; if it is to be trusted all the same, write plain_http: true in the "
            "block registry"
        )
    return _Failed(f"registry {host} does not answer: {reason}; check its address and the network")


def _failing(answer: Answer) -> str:
    if answer.status == 429:
        # Without a login the limit is that of an address, which many machines may share.
        return f"is asked too often: {answer.words}; log in there with docker login, or take images from a mirror"
    return f"fails: {answer.words}"


def _wish(answer: Answer) -> float:
    """The answer's Retry-After, in seconds; as a date it is not heeded."""
    given = answer.headers.get("Retry-After", "")
    return float(given) if given.isdecimal() else 0.0
