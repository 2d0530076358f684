"""The app: the API's paths over one store, and the page beside them."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPBearer
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.datastructures import State

from broker_config import __version__
from broker_config.errors import NotFound
from broker_config.history import open_history
from broker_config.settings import Settings
from broker_config.store import Store
from producer.installation import Installation
from producer.on_broker import OnBroker
from producer.server import metrics, problems
from producer.server.guarded.installation import Guarded
from producer.server.guarded.rights import Rights
from producer.server.guards import Guard
from producer.server.identity import Identify, Identity, by_key_or_session
from producer.server.oidc.provider import Provider
from producer.server.pace import Pace
from producer.server.page.app import create_page
from producer.server.routes import accounts, explaining, fleet, jobs, launches, queues, runs, streams
from producer.server.watching import ListWatcher, RunWatcher
from producer.wire import API, Problem

# FastAPI names the parameter of a body by an alias, which pydantic cannot use for models that are built on first use.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning, module=r"pydantic\._internal")

LARGEST_BODY = 8 * 1024 * 1024
"""Of a request, in bytes, but for an archive of code: a thousand launches, or the largest queue config."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        401: "The request shows no key that holds.",
        403: "The role, or the key, does not allow it.",
        404: "There is no such thing, or none that may be seen.",
        409: "Somebody changed the same thing, or the name is taken.",
        413: "The request is too large.",
        422: "Something in the request is wrong; nothing was written.",
        429: "The server was asked too often, or the queue is full.",
        503: "The broker does not answer, or has no room.",
    }.items()
}
"""Which errors operations may have, in the document that describes them."""

KEY = HTTPBearer(auto_error=False, scheme_name="API key", description="A key that `launchyard key create` made.")
"""For the document alone: who asks is told by `identity`."""

ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(settings: Settings, identify: Identify | None = None) -> FastAPI:
    """The app for an installation; who asks is known by an API key or a session where nothing else is given.

    Raises:
        BrokerUnavailable: when the embedded broker is needed and cannot be started.
    """
    if settings.history:
        # What is wrong with it is told now, and not to the first who looks for an old run.
        open_history(settings.history)
    store = Store(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        app.state.run_watcher, app.state.list_watcher = RunWatcher(store.feed), ListWatcher(store.pulse)
        yield
        store.close()

    app = FastAPI(
        title="Launchyard",
        version=__version__,
        lifespan=life,
        openapi_url=f"{API}/openapi.json",
        max_body_size=LARGEST_BODY,
        generate_unique_id_function=lambda route: route.name,
    )
    _fill(app.state, settings, store, identify or by_key_or_session(store))
    app.add_middleware(Guard)
    problems.install(app)
    for one in (queues, launches, runs, streams, fleet, explaining, jobs, accounts):
        app.include_router(one.router, prefix=API, responses=PROBLEMS, dependencies=[Depends(KEY)])
    app.include_router(metrics.router)
    app.add_api_route("/healthz", _health, include_in_schema=False)
    app.add_api_route("/api/{rest:path}", _no_such_path, methods=ALL_METHODS, include_in_schema=False)
    app.mount("/", create_page(app.state))
    return app


def _fill(state: State, settings: Settings, store: Store, identify: Identify) -> None:
    """What routes find in the app's state."""

    @cache
    def of_author(author: str) -> OnBroker:
        return OnBroker(store, settings.model_copy(update={"author": author}))

    def installation_of(identity: Identity) -> Installation:
        principal, asker = identity
        return Guarded(of_author(principal.name), Rights(principal, asker, store.audit))

    state.store = store
    state.pace = Pace(settings.requests_per_minute)
    state.identify = state.pace.guard(identify)
    state.installation_of = installation_of
    state.provider = Provider(settings) if settings.oidc_issuer else None
    state.largest_code_bytes = settings.largest_code_bytes
    state.flower_url = settings.flower_url
    state.has_history = bool(settings.history)


def _health(request: Request) -> dict[str, str]:
    """That the server reaches its broker; nothing else is told to whoever asks."""
    request.app.state.store.pulse.read()
    return {"status": "ok"}


def _no_such_path(rest: str) -> None:
    raise NotFound(
        f"the API has no path '/api/{rest}' for this method; those that there are stand in {API}/openapi.json"
    )
