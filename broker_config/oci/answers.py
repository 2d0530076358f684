"""Requests to registries, and what they answer; an error is an answer too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from broker_config.errors import TemporaryError

ANSWER_SECONDS = 10


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


def ask(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> Answer:
    """Ask a registry.

    Raises:
        TemporaryError: when it does not answer, or says that it fails or has too much to do.
    """
    try:
        request = Request(url, method=method, data=urlencode(form).encode() if form else None)
        for name, value in (headers or {}).items():
            # Credentials are for nobody to whom a registry may send us on.
            request.add_unredirected_header(name, value)
        with urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except HTTPError as error:
        found = Answer(error.code, error.headers, error.read())
        if error.code == 429 or error.code >= 500:
            raise TemporaryError(f"registry {urlsplit(url).netloc} fails: {found.words}") from error
        return found
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TemporaryError(
            f"registry {urlsplit(url).netloc} does not answer: {reason}; check its address and the network"
        ) from error
