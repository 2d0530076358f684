"""One connection to a server: requests out, documents back, and its errors as ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from broker_config import errors
from broker_config.findings import Finding, Severity
from producer.wire import LONGEST_WAIT_SECONDS, Page, Problem

CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
"""How long a server is asked again that says it is asked too often."""

ANSWER_SECONDS = LONGEST_WAIT_SECONDS + 10.0

PAGE = 200
"""Entries of a list that one request asks for."""

T = TypeVar("T")

Body = BaseModel | Sequence[BaseModel] | Iterator[bytes] | None
"""One document or several, or the parts of a file."""


class Connection:
    """Safe to share between threads."""

    def __init__(self, url: str, api_key: str | None, client: httpx2.Client | None = None) -> None:
        self._url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._client = client or httpx2.Client(base_url=url, timeout=timeout)
        self._client.headers.update(headers)

    def ask(self, kind: type[T], method: str, path: str, body: Body = None, **query: Any) -> T:
        """What the server answers, as that type. A parameter that is None is left out.

        Raises:
            LaunchyardError: what the server says, as the class of its code.
            BrokerUnavailable: when it does not answer.
        """
        parameters = {
            name: value if isinstance(value, list) else str(value) for name, value in query.items() if value is not None
        }
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (reply := self._sent(method, path, parameters, body)).is_error:
            error = _error(reply)
            is_file = isinstance(body, Iterator)
            if is_file or not isinstance(error, errors.TooManyRequests) or time.monotonic() > deadline:
                raise error
            time.sleep(min(error.delay_seconds, PATIENCE_SECONDS))
        if reply.status_code == httpx2.codes.NO_CONTENT:
            return None  # type: ignore[return-value]
        try:
            answer: T = TypeAdapter(kind).validate_json(reply.content)
        except ValidationError as error:
            raise errors.LaunchyardError(
                f"the server at {self._url} answers {method} {path} in a way that this version does not understand; "
                "have both be of one version"
            ) from error
        return answer

    def all(self, kind: type[Page[T]], path: str, cursor: str = "", **query: Any) -> Iterator[T]:
        """All entries of a list, or those behind a cursor.

        Raises:
            LaunchyardError: as for `ask`.
        """
        while True:
            page = self.ask(kind, "GET", path, cursor=cursor, limit=PAGE, **query)
            yield from page.items
            if page.cursor is None:
                return
            cursor = page.cursor

    def _sent(self, method: str, path: str, parameters: dict[str, str | list[str]], body: Body) -> httpx2.Response:
        try:
            return self._client.request(method, path, params=parameters, **_content(body))
        except httpx2.TransportError as error:
            raise errors.BrokerUnavailable(f"the server at {self._url} does not answer: {error}") from error

    def close(self) -> None:
        """Close it."""
        self._client.close()


def _content(body: Body) -> dict[str, Any]:
    if body is None:
        return {}
    if isinstance(body, Iterator):
        return {"content": body, "headers": {"Content-Type": "application/octet-stream"}}
    if isinstance(body, BaseModel):
        text = body.model_dump_json()
    else:
        text = f"[{','.join(one.model_dump_json() for one in body)}]"
    return {"content": text, "headers": {"Content-Type": "application/json"}}


def _kinds(kind: type[errors.LaunchyardError]) -> Iterator[type[errors.LaunchyardError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _kinds(one)


def _error(reply: httpx2.Response) -> errors.LaunchyardError:
    try:
        problem = Problem.model_validate_json(reply.content)
    except ValidationError:
        text = f"the server at {reply.url.copy_with(path='/', query=None)} answers with {reply.status_code}"
        return errors.TemporaryError(text) if reply.is_server_error else errors.LaunchyardError(text)
    kind = next((one for one in _kinds(errors.LaunchyardError) if one.code == problem.code), errors.LaunchyardError)
    # Their constructors make the sentence, which is there already.
    error = kind.__new__(kind)
    Exception.__init__(error, problem.detail)
    if isinstance(error, errors.TemporaryError):
        error.delay_seconds = problem.delay_seconds or 0.0
    if isinstance(error, errors.InvalidConfig):
        error.findings = [Finding(Severity(level), *rest) for level, *rest in problem.findings]
    return error
