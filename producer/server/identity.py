"""Who sends a request: whoever shows an API key."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastapi import Request

from broker_config.accounts.api_keys import read
from broker_config.accounts.rights import Principal
from broker_config.errors import LaunchyardError
from broker_config.store.accounts import AccountStore
from broker_config.store.audit import Asker

SCHEME = "bearer"


class NotIdentified(LaunchyardError):
    """Nobody is known to send this request."""

    code = "not-identified"


class Identity(NamedTuple):
    """Somebody, and how that one is known."""

    principal: Principal
    asker: Asker


Identify = Callable[[Request], Identity]
"""Who sends a request.

Raises:
    NotIdentified: when it does not say, or shows nothing that proves it.
"""


def by_key(accounts: AccountStore) -> Identify:
    """By the key in the header `Authorization: Bearer KEY`."""

    def identify(request: Request) -> Identity:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME:
            raise NotIdentified(
                "the request shows no API key; set LAUNCHYARD_API_KEY, or send the header 'Authorization: Bearer KEY'"
            )
        secret = read(text.strip())
        principal = accounts.identify(secret) if secret else None
        if secret is None or principal is None:
            raise NotIdentified(
                "this API key is of no use: it was not copied whole, is over, or was revoked; ask for another one"
            )
        address = request.client.host if request.client else ""
        return Identity(principal, Asker(name=principal.name, key=secret.id, address=address))

    return identify
