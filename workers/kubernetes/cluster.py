"""One cluster, and the one place where the Kubernetes client's exceptions become ours."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException

from broker_config.errors import TemporaryError, did_you_mean
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.kubernetes.access import Access
from workers.kubernetes.resource import Resource, root_of

Object = dict[str, Any]
Query = Mapping[str, str | int | bool]

ANSWER_SECONDS = (5.0, 30.0)
"""To connect, and for an answer."""

PAGE = 500
"""Objects in one answer to a list."""

MERGE_PATCH = "application/merge-patch+json"

LONGEST_PAUSE_SECONDS = 60.0
"""However long the server wants to be left alone, it is asked again after that."""

_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
"""In the header of that name (RFC 7234, section 5.5): a code, who warns, and the text in quotes."""

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
_CONFLICT = 409
GONE = 410
_TOO_MANY_REQUESTS = 429
_PASSING = frozenset({408, 425, _TOO_MANY_REQUESTS})

_NO_ANSWER = (
    ApiException,
    urllib3.exceptions.HTTPError,
    kubeconfig.ConfigException,  # of credentials that are being refreshed
    OSError,
    ValueError,
)

_NOBODY = "system:anonymous"
"""Who the server takes a client for that has shown no credentials, such as one whose exec plug-in has failed."""


class Unauthorized(TemporaryError):
    """The server does not know these credentials. They change while an agent runs, and no run is to fail for that."""


class Refused(RunFailed):
    """The API server does not do what was asked. Uncaught, it is the end of the run that needs it."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(FailureClass.CONFIG, Reason.TARGET_REFUSED, text)
        self.status = status
        self.words = reason  # the server's own word, such as AlreadyExists

    @property
    def is_not_found(self) -> bool:
        return self.status == _NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        """The name is taken, or the object has changed since it was read."""
        return self.status == _CONFLICT

    @property
    def is_expired(self) -> bool:
        """What a watch or a long list wanted to go on from is not kept any more."""
        return self.status == GONE


class Cluster:
    """An API server with the agent's credentials for it, for all threads of this process."""

    def __init__(self, config_file: str | None = None, context: str | None = None) -> None:
        self._access = Access(config_file, context)
        self._paused_until = float("-inf")
        self._silence = ""
        self._sleepers: set[threading.Event] = set()
        self._plurals: dict[tuple[str, str], Resource] = {}

    def __str__(self) -> str:
        return str(self._access)

    @property
    def name(self) -> str:
        """The kubeconfig's path and the context; empty for the cluster that kubectl would speak to."""
        return self._access.name

    @property
    def namespace(self) -> str:
        """That of the context, or of the agent's own pod.

        Raises:
            ConfigError: when there is no such cluster.
        """
        return self._access.namespace

    @property
    def silence(self) -> str:
        """Why the last that was asked got no answer; empty when it got one."""
        return self._silence

    def get(self, path: str, query: Query | None = None) -> Object:
        """The object or the list at a path of the API. Raises as `call` does."""
        return self.call("GET", path, query)

    def find(self, path: str) -> Object | None:
        """The object at a path; None where there is none."""
        try:
            return self.get(path)
        except Refused as error:
            if error.is_not_found:
                return None
            raise

    def listed(self, path: str, selector: str, fields: str = "") -> Iterator[Object]:
        """All objects at a path with those labels and fields."""
        for page in self.pages(path, selector, fields):
            yield from page["items"]

    def pages(self, path: str, selector: str, fields: str = "") -> Iterator[Object]:
        """The same as lists, whose metadata says which version of the cluster they show."""
        query: dict[str, str | int] = {"labelSelector": selector, "fieldSelector": fields, "limit": PAGE}
        while True:
            page = self.get(path, query)
            # In a list, the kinds of Kubernetes itself do not say what they are.
            own = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
            page["items"] = [{**own, **one} for one in page["items"]]
            yield page
            if not (rest := page["metadata"].get("continue")):
                return
            query["continue"] = rest

    def delete(self, path: str, query: Query | None = None, options: Object | None = None) -> None:
        """Delete an object, or all at a path with a selector; one that is not there is no error."""
        try:
            self.call("DELETE", path, query, options)
        except Refused as error:
            if not error.is_not_found:
                raise

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request and its answer.

        Raises:
            Refused: when the server says no; `status` says how.
            TemporaryError: when it does not answer, is busy, or failed.
            ConfigError: when there is no such cluster.
        """
        with self.answering():
            answer: Object = json.loads(self._request(method, _url(path, query), body, content_type).data)
        return answer

    def rehearse(self, path: str, body: Object) -> Sequence[str]:
        """Have an object checked as if it were created. Returns the server's warnings. Raises as `call` does."""
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        with self.answering():
            response = self._request("POST", _url(path, query), body, "application/json")
            response.drain_conn()
        return [re.sub(r"\\(.)", r"\1", text) for text in _WARNING.findall(response.headers.get("Warning", ""))]

    def text(self, path: str, query: Query | None = None) -> bytes:
        """An answer that is no JSON, such as a log."""
        with self.answering():
            return self._request("GET", _url(path, query)).data

    @contextmanager
    def stream(self, path: str, query: Query, silence_seconds: float) -> Iterator[urllib3.BaseHTTPResponse]:
        """An answer that goes on, such as a watch or a log that is followed.

        It may be shut down by another thread. Errors are raised as by `call`, also for those of the reading inside.
        """
        with self.answering():
            timeout = (ANSWER_SECONDS[0], silence_seconds)
            response = self._request("GET", _url(path, query), timeout=timeout)
        try:
            yield response
        except _NO_ANSWER as error:
            # This is no silence: a log may be quiet for long, and a watch may have been shut down here.
            raise TemporaryError(f"what {self} was telling broke off: {error}") from error
        finally:
            response.close()

    def resource(self, api_version: str, kind: str) -> Resource:
        """Where objects of a kind are, as the cluster itself says.

        Raises:
            Refused: when it has no such kind.
        """
        key = (api_version, kind)
        if key not in self._plurals:
            self._plurals[key] = self._discovered(api_version, kind)
        return self._plurals[key]

    def _discovered(self, api_version: str, kind: str) -> Resource:
        root = root_of(api_version)
        try:
            listed = self.get(root)["resources"]
        except Refused as error:
            if not error.is_not_found:
                raise
            listed = []
        for one in listed:
            if one["kind"] == kind and "/" not in one["name"]:
                return Resource(api_version, kind, one["name"], bool(one["namespaced"]))
        known = ", ".join(sorted(one["kind"] for one in listed if "/" not in one["name"]))
        cure = f"{api_version} has: {known}" if known else self._served_instead(api_version)
        raise Refused(
            _NOT_FOUND, "NotFound", f"the cluster has no kind {kind} in {api_version}; {cure}; is its operator there?"
        )

    def _served_instead(self, api_version: str) -> str:
        """Of a group and version that is not served, which versions or groups are."""
        group, _, version = api_version.rpartition("/")
        served = {one["name"]: [each["version"] for each in one["versions"]] for one in self.get("/apis")["groups"]}
        if group in served:
            return f"it serves no {version} of {group}, but {', '.join(served[group])}"
        return f"it has no {api_version}{did_you_mean(group, served)}"

    def sleep(self, woken: threading.Event, seconds: float) -> None:
        """Wait until the event is set: by its owner, or when the server that gave no answer gives one to anybody."""
        self._sleepers.add(woken)
        woken.wait(seconds)
        self._sleepers.discard(woken)
        woken.clear()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Translate the client's exceptions."""
        try:
            yield
        except _NO_ANSWER as error:
            self._silence = f"{self} does not answer: {error}"
            raise TemporaryError(self._silence) from error

    def _request(
        self,
        method: str,
        url: str,
        body: Object | None = None,
        content_type: str = "",
        timeout: tuple[float, float] = ANSWER_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        """The answer, of which only an error's body is read."""
        self._keep_pause()
        api = self._access.api()
        headers = {"Accept": "application/json", **({"Content-Type": content_type} if body is not None else {})}
        request = api.param_serialize(method, url, header_params=headers, body=body, auth_settings=["BearerToken"])
        response: urllib3.BaseHTTPResponse = api.call_api(*request, _request_timeout=timeout).response
        if self._silence:
            self._silence = ""
            for woken in list(self._sleepers):
                woken.set()
        if response.status < 400:
            return response
        error = _said(response)
        if isinstance(error, Unauthorized):
            self._access.renew(api)
        elif response.status == _TOO_MANY_REQUESTS and isinstance(error, TemporaryError):
            self._paused_until = time.monotonic() + error.delay_seconds
        raise error

    def _keep_pause(self) -> None:
        """Ask nothing while the server wants to be left alone: each thread would ask by a period of its own."""
        if (left := self._paused_until - time.monotonic()) > 0:
            text = f"{self} has too many requests, and is asked again in {left:.0f} s"
            raise TemporaryError(text, delay_seconds=left)


def _url(path: str, query: Query | None) -> str:
    return f"{path}?{urlencode({name: _text(value) for name, value in query.items()})}" if query else path


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _said(response: urllib3.BaseHTTPResponse) -> Refused | TemporaryError:
    """What an answer that is an error means."""
    body = response.read(cache_content=True)
    reason, words, wait = "", body.decode(errors="replace")[:500].strip(), response.headers.get("Retry-After", "")
    with suppress(ValueError, AttributeError):
        status = json.loads(body)
        reason, words = str(status.get("reason") or ""), str(status.get("message") or words)
        wait = wait or str((status.get("details") or {}).get("retryAfterSeconds", ""))
    text = f"the Kubernetes API server says {response.status} {reason}: {words}".replace(" :", ":")
    if response.status == _UNAUTHORIZED or (response.status == _FORBIDDEN and _NOBODY in words):
        return Unauthorized(f"{text}; see that the agent's credentials for it are valid")
    if response.status >= 500 or response.status in _PASSING:
        delay = float(wait) if wait.isdigit() else 5.0
        return TemporaryError(text, delay_seconds=min(delay, LONGEST_PAUSE_SECONDS))
    return Refused(response.status, reason, text)
