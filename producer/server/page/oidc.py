"""Signing in with the identity provider: to it, and back from it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from broker_config.accounts.oidc import Person
from broker_config.errors import LaunchyardError, NotFound
from broker_config.store.sessions import Session
from producer.server.identity import address_of, cookie_name, drop_cookie, keep_cookie
from producer.server.oidc.arriving import arrive
from producer.server.oidc.attempt import LASTS, from_cookie
from producer.server.oidc.provider import Provider
from producer.server.oidc.refused import SignInRefused
from producer.server.page.signin import again, begun, inside

COOKIE = "launchyard_signin"
BACK = "signin/oidc/back"

router = APIRouter()


@router.get("/signin/oidc")
async def go(request: Request, next: str = "/") -> Response:
    """Send the browser to the provider."""
    try:
        url, attempt = await _provider(request).begin(f"{request.base_url}{BACK}", inside(next))
    except LaunchyardError as error:
        return again(request, inside(next), error)
    response = RedirectResponse(url, 303)
    # It comes along when the provider's own page sends the browser back.
    keep_cookie(response, request, COOKIE, attempt.to_cookie(), LASTS)
    return response


@router.get(f"/{BACK}")
async def come_back(request: Request) -> Response:
    """Begin a session of whoever the provider says came back."""
    attempt = from_cookie(request.cookies.get(cookie_name(request, COOKIE), ""))
    wanted = inside(attempt.wanted) if attempt else "/"
    try:
        provider = _provider(request)
        if attempt is None:
            raise SignInRefused("no sign-in is under way in this browser, or it began too long ago; sign in again")
        person = await provider.finish(attempt, request.query_params)
        response = await run_in_threadpool(_let_in, request, provider, person, wanted)
    except LaunchyardError as error:
        return again(request, wanted, error)
    drop_cookie(response, request, COOKIE)
    return response


def _let_in(request: Request, provider: Provider, person: Person, wanted: str) -> Response:
    store = request.app.state.store
    user = arrive(store, provider.settings, person, address_of(request))
    return begun(request, store.sessions.begin(Session(principal=user.name)), wanted)


def _provider(request: Request) -> Provider:
    found: Provider | None = request.app.state.provider
    if found is None:
        raise NotFound("this installation has no identity provider; sign in with an API key")
    return found
