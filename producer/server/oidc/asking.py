"""Asking the provider over HTTP; whatever goes wrong is told in our words, and without what it said in secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError

from producer.server.oidc.refused import ProviderUnavailable, SignInRefused

PATIENCE_SECONDS = 10.0
"""How long a provider may take for all that one step of a sign-in asks of it."""

_LONGEST_WORDS = 200
_AGAIN = "try again soon, or sign in with an API key"
_REFUSALS = {
    "access_denied": "it does not let you in here; ask whoever keeps it",
    "invalid_grant": "it takes this answer no more; sign in again",
    "invalid_client": "it does not know this server; an admin checks LAUNCHYARD_OIDC_CLIENT_ID and its secret",
    "unauthorized_client": "it does not know this server; an admin checks LAUNCHYARD_OIDC_CLIENT_ID and its secret",
    "invalid_scope": "it does not know what was asked for; an admin checks LAUNCHYARD_OIDC_SCOPES",
    "server_error": f"it met a fault of its own; {_AGAIN}",
    "temporarily_unavailable": f"it is too busy; {_AGAIN}",
}


def refusal(error: str, words: str | None = None) -> SignInRefused:
    """What an error of the provider's means (RFC 6749, sections 4.1.2.1 and 5.2), with its own words."""
    told = "".join(mark for mark in f"{error}: {words}" if mark.isprintable())[:_LONGEST_WORDS] if words else error
    cure = _REFUSALS.get(error, "sign in again, or ask whoever keeps it")
    return SignInRefused(f"the identity provider refuses: {cure} ({told})")


@asynccontextmanager
async def asking(issuer: str, patience_seconds: float) -> AsyncIterator[None]:
    """Around what is asked of a provider, which has so long for all of it.

    Raises:
        SignInRefused: when it refuses.
        ProviderUnavailable: when it does not answer, or with what cannot be read.
    """
    try:
        async with asyncio.timeout(patience_seconds):
            yield
    except AuthlibBaseError as error:
        raise refusal(error.error, error.description) from error
    except httpx2.HTTPStatusError as error:
        request, status = error.request, error.response.status_code
        raise ProviderUnavailable(f"the identity provider answers {status} at {request.url.path}; {_AGAIN}") from error
    except (httpx2.HTTPError, TimeoutError) as error:
        raise ProviderUnavailable(f"the identity provider {issuer} does not answer; {_AGAIN}") from error
    except (JoseError, ValueError) as error:
        raise ProviderUnavailable(
            f"what answers at {issuer} is no identity provider, or its answers cannot be read; "
            "an admin checks LAUNCHYARD_OIDC_ISSUER"
        ) from error


TLS = httpx2.create_ssl_context()
"""With the authorities of this machine; to read them takes longer than anything else here, so it is done once."""


async def document(url: str) -> dict[str, Any]:
    """The JSON object at an address of the provider's, which everybody may read.

    Raises:
        ValueError: when there is something else.
    """
    async with httpx2.AsyncClient(verify=TLS) as client:
        return json_object(await client.get(url))


def json_object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises:
        ValueError: when there is something else.
    """
    found = answer.raise_for_status().json()
    if not isinstance(found, dict):
        raise ValueError("this is no JSON object")
    return found
