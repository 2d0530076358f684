"""One watch for all objects of a kind: listed once, then told of each change.

A list comes first, in pages; then a watch goes on from its version, and a watch that ends goes on from the last version
that it told of, bookmarks included. When that version is not kept any more (410), everything is listed anew.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import urllib3

from broker_config.errors import LaunchyardError
from workers.kubernetes.cluster import GONE, Cluster, Object, Refused
from workers.kubernetes.lines import lines

logger = logging.getLogger(__name__)

WATCH_SECONDS = 60
"""The server ends a watch after that. It costs one request to go on, and finds a connection that is dead and silent."""

_SILENCE_SECONDS = WATCH_SECONDS + 15.0
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0

_LOST_SECONDS = 10.0
"""After so long with nothing but errors, what was known may be old."""

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Kept(Generic[State]):
    """What is known of one object."""

    owner: str  # what it belongs to; several objects may have the same
    name: str
    state: State | None  # None: nothing any more


class Informer(Generic[State]):
    """What is known of the objects at a path, kept up to date by a thread of its own.

    `read` makes of an object, and of whether it was deleted, what is to be kept of it; None for one that is of no
    interest. `changed` is told the owner of what may have changed, and None after everything was listed.
    """

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        selector: str,
        read: Callable[[Object, bool], Kept[State] | None],
        changed: Callable[[str | None], None],
    ) -> None:
        self.path = path
        self._cluster = cluster
        self._selector = selector
        self._read = read
        self._changed = changed
        self._lock = threading.Lock()  # of what is known: the watch tells of it, and others read objects themselves
        self._known: dict[str, dict[str, State]] = {}
        self._heard = float("-inf")
        self._lost: float | None = None  # since when nothing but errors comes
        self._version = ""
        self._stream: urllib3.BaseHTTPResponse | None = None
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"informer {path}", daemon=True)

    def start(self) -> None:
        """Begin to list and watch."""
        self._thread.start()

    def stop(self) -> None:
        """End within a second."""
        self._stop.set()
        self._woken.set()
        # What reads from it is woken by its end alone.
        if (stream := self._stream) is not None:
            # One that has ended meanwhile says so.
            with suppress(OSError, ValueError, RuntimeError):
                stream.shutdown()

    @property
    def is_alive(self) -> bool:
        """Whether it keeps anything up to date."""
        return self._thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Whether what is known can be relied on: the server was heard a moment ago."""
        return time.monotonic() - self._heard < _SILENCE_SECONDS and not self.is_lost

    @property
    def is_lost(self) -> bool:
        """Whether the server has refused or has not been there for a while. It is tried again and again."""
        return self._lost is not None and time.monotonic() - self._lost >= _LOST_SECONDS

    def of(self, owner: str) -> Mapping[str, State]:
        """What is known of an owner's objects, by name."""
        return self._known.get(owner, {})

    def put(self, kept: Kept[State]) -> None:
        """Know an object that was just made or read, unless the watch has told of it, whose word is newer."""
        with self._lock:
            if not self.is_current or kept.name not in self.of(kept.owner):
                _keep(self._known, kept)

    def replace(self, owners: Iterable[str], found: Iterable[Kept[State]]) -> None:
        """Know of these owners what a list has just said, unless the watch has come meanwhile, whose word is newer."""
        with self._lock:
            if not self.is_current:
                for owner in owners:
                    self._known.pop(owner, None)
                for kept in found:
                    _keep(self._known, kept)

    def correct(self, found: Iterable[Kept[State]]) -> None:
        """Know what a list has just said, because the watch is late; what that tells then is the same again."""
        with self._lock:
            for kept in found:
                _keep(self._known, kept)

    def drop(self, owner: str) -> None:
        """Keep nothing of an owner any more."""
        with self._lock:
            self._known.pop(owner, None)

    def _work(self) -> None:
        wait = _FIRST_WAIT_SECONDS
        while not self._stop.is_set():
            try:
                if not self._version:
                    self._list()
                began = time.monotonic()
                self._watch()
                # A server that ends each watch at once, as one that shuts down may do, is not to be asked in a circle.
                self._stop.wait(_FIRST_WAIT_SECONDS - (time.monotonic() - began))
                wait = _FIRST_WAIT_SECONDS
                continue
            except LaunchyardError as error:
                if self._stop.is_set():
                    return
                if isinstance(error, Refused) and error.is_expired:
                    self._version = ""
                logger.warning("informer-lost path=%s retry_seconds=%.1f: %s", self.path, wait, error)
                self._lose()
            except Exception:
                logger.exception("informer-fault path=%s", self.path)
                self._version = ""
                self._lose()
            # Agents that lost the same server do not come back in the same moment.
            self._cluster.sleep(self._woken, wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _lose(self) -> None:
        if self._lost is None:
            self._lost = time.monotonic()
        elif self.is_lost:
            # Whoever relies on what is known has to learn that it may be old.
            self._changed(None)

    def _list(self) -> None:
        known: dict[str, dict[str, State]] = {}
        version = ""
        for page in self._cluster.pages(self.path, self._selector):
            version = page["metadata"]["resourceVersion"]
            for one in page["items"]:
                if (kept := self._read(one, False)) is not None:
                    _keep(known, kept)
        with self._lock:
            self._known = known
            self._version = version
            self._hear()
        self._changed(None)

    def _hear(self) -> None:
        self._heard = time.monotonic()
        self._lost = None

    def _watch(self) -> None:
        query: dict[str, str | int | bool] = {
            "watch": True,
            "labelSelector": self._selector,
            "resourceVersion": self._version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": WATCH_SECONDS,
        }
        with self._cluster.stream(self.path, query, _SILENCE_SECONDS) as stream:
            self._stream = stream
            self._hear()
            for line in lines(stream):
                if self._stop.is_set():
                    return
                event = json.loads(line)
                self._take(event["type"], event["object"])

    def _take(self, kind: str, told: Object) -> None:
        if kind == "ERROR":
            raise Refused(int(told.get("code") or GONE), str(told.get("reason")), str(told.get("message")))
        self._hear()
        self._version = told["metadata"]["resourceVersion"]
        if kind != "BOOKMARK" and (kept := self._read(told, kind == "DELETED")) is not None:
            with self._lock:
                _keep(self._known, kept)
            self._changed(kept.owner)


def _keep(known: dict[str, dict[str, State]], kept: Kept[State]) -> None:
    # Replaced, never changed: other threads read what is there.
    rest = {name: state for name, state in known.get(kept.owner, {}).items() if name != kept.name}
    if kept.state is not None:
        rest[kept.name] = kept.state
    if rest:
        known[kept.owner] = rest
    else:
        known.pop(kept.owner, None)
