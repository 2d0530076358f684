"""Errors as documents (RFC 9457), with the codes and sentences that the command line has."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from broker_config import errors
from producer.server.oidc.refused import SignInRefused
from producer.wire import Problem

logger = logging.getLogger(__name__)

STATUS: dict[type[errors.LaunchyardError], int] = {
    errors.InvalidRequest: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.StaleWrite: 409,
    errors.NotIdentified: 401,
    SignInRefused: 403,
    errors.NotPermitted: 403,
    errors.QueueFull: 429,
    errors.TooManyRequests: 429,
    errors.TemporaryError: 503,
}
"""By error class, the first that fits; any other error of ours is 500."""


def status_of(error: errors.LaunchyardError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def problem_of(error: errors.LaunchyardError) -> Problem:
    """The document that tells of an error."""
    found = error.findings if isinstance(error, errors.InvalidConfig) else ()
    return Problem(
        type=f"urn:launchyard:problem:{error.code}",
        title=error.code.replace("-", " "),
        status=status_of(error),
        detail=str(error),
        code=error.code,
        findings=[(one.severity, one.pointer, one.text, one.place) for one in found],
        delay_seconds=error.delay_seconds if isinstance(error, errors.TemporaryError) else None,
    )


def install(app: FastAPI) -> None:
    """Have every error of the app told in this way."""
    app.add_exception_handler(errors.LaunchyardError, _ours)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _fault)


def answer(problem: Problem) -> JSONResponse:
    """The answer with that document."""
    headers = {"Retry-After": str(round(problem.delay_seconds + 0.5))} if problem.delay_seconds else None
    document = problem.model_dump(mode="json")
    return JSONResponse(document, problem.status, headers, "application/problem+json")


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.LaunchyardError)
    return answer(problem_of(error))


async def _unreadable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    clauses = [
        f"{'.'.join(map(str, detail['loc'][1:])) or detail['loc'][0]}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors()
    ]
    return answer(problem_of(errors.InvalidRequest("; ".join(clauses))))


async def _of_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer(
        Problem(type="about:blank", title=error.detail, status=error.status_code, detail=error.detail, code="http")
    )


async def _fault(request: Request, error: Exception) -> JSONResponse:
    logger.error("request-fault %s %s", request.method, request.url.path, exc_info=error)
    text = "the server met a fault of its own; its log says which"
    return answer(Problem(type="about:blank", title="fault", status=500, detail=text, code="server-fault"))
