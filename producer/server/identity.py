"""Who sends a request: whoever shows an API key, or sits at the page and has signed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal, NamedTuple, TypedDict

from fastapi import Request, Response

from broker_config.accounts.api_keys import Secret, read
from broker_config.accounts.rights import Principal
from broker_config.errors import NotIdentified
from broker_config.store import Store
from broker_config.store.audit import Asker

SCHEME = "bearer"

COOKIE = "launchyard_session"
"""Behind TLS it has the prefix `__Host-`, with which browsers take it from this host alone."""


class Identity(NamedTuple):
    """Somebody, and how that one is known."""

    principal: Principal
    asker: Asker


class CookieManner(TypedDict):
    """How all of our cookies are kept."""

    secure: bool
    httponly: bool
    samesite: Literal["lax"]


Identify = Callable[[Request], Identity]
"""Who sends a request.

Raises:
    NotIdentified: when it does not say, or shows nothing that proves it.
"""


def by_key_or_session(store: Store) -> Identify:
    """By the key in the header `Authorization: Bearer KEY`, else by the session in the cookie."""

    def identify(request: Request) -> Identity:
        if request.headers.get("Authorization") is None and (text := session_text(request)):
            session = store.sessions.get(text)
            principal = store.accounts.in_session(session) if session else None
            if session is None or principal is None:
                raise NotIdentified("your session is over; sign in again")
            return _identity(request, principal, session.key)
        secret = shown_key(request)
        principal = store.accounts.identify(secret)
        if principal is None:
            raise NotIdentified(NO_USE)
        return _identity(request, principal, secret.id)

    return identify


NO_USE = "this API key is of no use: it was not copied whole, is over, or was revoked; ask for another one"


def shown_text(request: Request) -> str:
    """What a request shows as its API key; empty when it shows none."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == SCHEME else ""


def shown_key(request: Request) -> Secret:
    """The API key that a request shows, which may be nobody's."""
    text = shown_text(request)
    if not text:
        raise NotIdentified(
            "the request shows no API key; set LAUNCHYARD_API_KEY, or send the header 'Authorization: Bearer KEY'"
        )
    secret = read(text)
    if secret is None:
        raise NotIdentified(NO_USE)
    return secret


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def cookie_name(request: Request, name: str = COOKIE) -> str:
    """How a cookie is called on this connection."""
    return f"__Host-{name}" if request.url.scheme == "https" else name


def keep_cookie(response: Response, request: Request, name: str, text: str, lasts: timedelta) -> None:
    """Have a browser bring a text again: to this site alone, also when another page leads here, and to no script."""
    response.set_cookie(cookie_name(request, name), text, max_age=int(lasts.total_seconds()), **_manner(request))


def drop_cookie(response: Response, request: Request, name: str) -> None:
    """Have a browser forget it."""
    response.delete_cookie(cookie_name(request, name), **_manner(request))


def _manner(request: Request) -> CookieManner:
    return {"secure": request.url.scheme == "https", "httponly": True, "samesite": "lax"}


def session_text(request: Request) -> str:
    """The text of the session that a request brings; empty: it brings none."""
    return request.cookies.get(cookie_name(request), "")


def _identity(request: Request, principal: Principal, key: str) -> Identity:
    return Identity(principal, Asker(name=principal.name, key=key, address=address_of(request)))
