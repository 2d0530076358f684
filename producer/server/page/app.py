"""The page's app: it stands beside the API's, and tells errors as pages."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import State
from starlette.exceptions import HTTPException

from broker_config.errors import LaunchyardError, NotIdentified
from producer.server.page import fleet, launching, oidc, overview, queue_form, queues, runs, signin
from producer.server.page.rendering import error_page
from producer.server.problems import status_of

logger = logging.getLogger(__name__)


LARGEST_FORM = 4 * 1024 * 1024
"""In bytes: several texts, each as long as a document may be."""


def create_page(state: State) -> FastAPI:
    """The app, on the state of the API's."""
    app = FastAPI(openapi_url=None, max_body_size=LARGEST_FORM)
    app.state = state
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    for one in (signin, oidc, overview, queue_form, launching, queues, runs, fleet):
        app.include_router(one.router)
    app.add_exception_handler(NotIdentified, _to_sign_in)
    app.add_exception_handler(LaunchyardError, _ours)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _fault)
    return app


async def _to_sign_in(request: Request, _: Exception) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/signin?next={quote(wanted if request.method == 'GET' else '/')}", status_code=303)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, LaunchyardError)
    return error_page(request, status_of(error), error.code.replace("-", " "), str(error))


async def _unreadable(request: Request, _: Exception) -> Response:
    return error_page(request, 422, "invalid request", "the address or the form cannot be read; go back and try again")


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "there is no such page; the ones that there are stand above" if error.status_code == 404 else error.detail
    return error_page(request, error.status_code, error.detail.lower(), text)


async def _fault(request: Request, error: Exception) -> Response:
    logger.error("request-fault %s %s", request.method, request.url.path, exc_info=error)
    return error_page(request, 500, "fault", "the server met a fault of its own; its log says which")
