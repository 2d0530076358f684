"""The app: the API's paths over one store."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from anyio import to_thread
from fastapi import FastAPI, Request
from pydantic.warnings import UnsupportedFieldAttributeWarning

from broker_config import __version__
from broker_config.settings import Settings
from broker_config.store import Store
from producer.installation import Installation
from producer.on_broker import OnBroker
from producer.server import problems
from producer.server.guarded.installation import Guarded
from producer.server.guarded.rights import Rights
from producer.server.identity import Identify, by_key
from producer.server.routes import accounts, fleet, jobs, launches, queues, runs
from producer.wire import API

# FastAPI names the parameter of a body by an alias, which pydantic cannot use for models that are built on first use.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning, module=r"pydantic\._internal")

THREADS = 400
"""Requests that are carried out at once; most of them wait for news of a run."""


def create_app(settings: Settings, identify: Identify | None = None) -> FastAPI:
    """The app for an installation; who asks is known by an API key where nothing else is given.

    Raises:
        BrokerUnavailable: when the embedded broker is needed and cannot be started.
    """
    store = Store(settings)
    identify = identify or by_key(store.accounts)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        store.close()

    @cache
    def of_author(author: str) -> OnBroker:
        return OnBroker(store, settings.model_copy(update={"author": author}))

    def installation_for(request: Request) -> Installation:
        principal, asker = identify(request)
        return Guarded(of_author(principal.name), Rights(principal, asker, store.audit))

    app = FastAPI(title="Launchyard", version=__version__, lifespan=life, openapi_url=f"{API}/openapi.json")
    app.state.installation_for = installation_for
    problems.install(app)
    for one in (queues, launches, runs, fleet, jobs, accounts):
        app.include_router(one.router, prefix=API)
    return app
