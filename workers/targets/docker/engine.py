"""The connection to the Docker engine, and the one place where docker's exceptions become ours.

The engine is the one that the docker CLI would use: `DOCKER_HOST`, or else docker's current context. It is connected at
first use, because an agent that starts before its engine has to live.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, create_api_error_from_http_exception

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed

ANSWER_SECONDS = 30
CONNECTIONS = 32
"""Kept open at most; more are made when needed and closed after use."""

_BUSY = frozenset({408, 425, 429})

_PASSING = (
    "no space left on device",
    "port is already allocated",
    "address already in use",
    "connection refused",
    "connection reset",
    "context canceled",
    "context deadline exceeded",
    "i/o timeout",
    "is marked for removal",
    "no such host",
    "server misbehaving",
    "temporary failure",
    "timeout exceeded",
    "tls handshake timeout",
    "toomanyrequests",
    "unexpected eof",
)
"""Words of the engine, and of the registries that it asks, for trouble that may pass."""


def may_pass(words: str) -> bool:
    """Whether what the engine says names trouble that may be over at the next try."""
    return any(word in words.lower() for word in _PASSING)


def words_of(error: APIError) -> str:
    """What the engine itself said."""
    return (error.explanation or str(error)).strip()


def check(response: requests.Response) -> None:
    """Raise `APIError` for a response that reports an error, as docker's own client does."""
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)


class Engine:
    """One engine, for all threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._api: docker.APIClient | None = None

    @property
    def api(self) -> docker.APIClient:
        """The client; made by the first call that reaches the engine. Use it inside `answering`."""
        with self._lock:
            if self._api is None:
                client = docker.from_env(timeout=ANSWER_SECONDS, max_pool_size=CONNECTIONS)
                self._api = client.api
            return self._api

    def url(self, path: str) -> str:
        """The address of a part of the API, for what docker's client cannot ask exactly as we need it."""
        return f"{self.api.base_url}/v{self.api.api_version}{path}"

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Translate docker's exceptions; whoever knows a better word for one of them catches it inside.

        Raises:
            TemporaryError: when the engine does not answer, is busy, or failed.
            RunFailed: class CONFIG, when it refuses what was asked.
        """
        try:
            yield
        except APIError as error:
            raise _of_an_answer(error) from error
        except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise TemporaryError(
                f"the docker engine does not answer: {error}; check that it runs, that DOCKER_HOST or docker's context "
                "names it, and that the agent's user may use it"
            ) from error


def _of_an_answer(error: APIError) -> TemporaryError | RunFailed:
    words = words_of(error)
    status = error.status_code
    if status is None or status >= 500 or status in _BUSY or may_pass(words):
        return TemporaryError(f"the docker engine failed: {words}")
    return RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, f"the docker engine refused: {words}")
