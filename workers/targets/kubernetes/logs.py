"""The output of an object's pods, container by container, from a position on: no line twice, none left out.

The server finds lines by the second at which they were written. So the lines of the last second are read again, and
those that were taken are left out: by their time in nanoseconds, and by their number where times repeat.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from broker_config.errors import LaunchyardError
from workers.kubernetes.cluster import Cluster, Refused
from workers.kubernetes.lines import lines as lines_of
from workers.kubernetes.pods import PodState
from workers.kubernetes.resource import PODS
from workers.targets.protocol import LogChunk

CHUNK_BYTES = 1024 * 1024
HELD_LINES = 20_000
"""Kept of each container that is being ended, in case its last lines are asked for when it is gone."""

_HELD_SECONDS = 600
_SILENCE_SECONDS = 300.0
_BAD_REQUEST = 400
"""The server's answer for a container that has not started, or has no earlier instance."""

NO_LOG = "--- launchyard: the pods are gone, and their log with them ---"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a container."""

    at_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where one container's log was read: all before a time, and so many lines of that time."""

    at_ns: int = 0
    taken: int = 0

    def rest(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Those that were not read yet."""
        left = self.taken
        rest = []
        for line in lines:
            if line.at_ns < self.at_ns:
                continue
            if line.at_ns == self.at_ns and left:
                left -= 1
                continue
            rest.append(line)
        return rest

    def after(self, lines: Sequence[Line]) -> Place:
        """The place behind lines that were not read before."""
        if not lines:
            return self
        last = lines[-1].at_ns
        taken = sum(line.at_ns == last for line in lines) + (self.taken if last == self.at_ns else 0)
        return Place(last, taken)


@dataclass(frozen=True, slots=True)
class Source:
    """One instance of a container."""

    pod: str
    container: str
    restart: int
    is_current: bool

    @property
    def key(self) -> str:
        return f"{self.pod}/{self.container}#{self.restart}"


class Logs:
    """The logs in one namespace of a cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._held: dict[str, dict[Source, list[Line]]] = {}  # by the run's name

    def read(self, run: str, pods: Sequence[PodState], position: str, has_ended: Callable[[], bool]) -> LogChunk:
        """The next chunk from a position on."""
        places = {key: Place(*place) for key, place in json.loads(position or "{}").items()}
        lines: list[str] = []
        more = False
        held = self._held.get(run, {})
        sources = list(dict.fromkeys([*_sources(pods), *held]))
        for source in sources:
            fresh, was_cut = self._fresh(source, places.get(source.key, Place()), held.get(source, []))
            places[source.key] = places.get(source.key, Place()).after(fresh)
            prefix = f"[{source.pod} {source.container}] " if len(sources) > 1 else ""
            lines += [prefix + line.text for line in fresh]
            more = more or was_cut
        if not sources and not places and has_ended():
            return LogChunk((NO_LOG,), json.dumps({"": (0, 0)}))
        if not lines:
            return LogChunk((), position)
        return LogChunk(lines, json.dumps({key: (one.at_ns, one.taken) for key, one in places.items()}), more)

    def hold(self, run: str, pods: Sequence[PodState]) -> None:
        """Keep what the pods still print: they are about to be deleted, and their logs with them."""
        held = self._held.setdefault(run, {})
        for source in _sources(pods):
            if source.is_current and source not in held:
                held[source] = []
                name = f"log {source.key}"
                threading.Thread(target=self._follow, args=(source, held[source]), name=name, daemon=True).start()

    def drop(self, run: str) -> None:
        """Keep nothing of a run's pods any more."""
        self._held.pop(run, None)

    def _fresh(self, source: Source, place: Place, held: Sequence[Line]) -> tuple[Sequence[Line], bool]:
        """What a container has printed since, and whether there is more."""
        limit = CHUNK_BYTES
        while True:
            try:
                said = self._read(source, place, limit)
            except Refused as error:
                if not error.is_not_found and error.status != _BAD_REQUEST:
                    raise
                return place.rest(held), False
            was_cut = len(said) >= limit
            # A line that was cut comes whole with the next chunk.
            whole = said[: said.rfind(b"\n") + 1] if was_cut else said
            fresh = place.rest(_read(whole.decode(errors="replace").split("\n")))
            if fresh or not was_cut:
                return fresh, was_cut
            # More than that was printed within the last second that was read.
            limit *= 4

    def _read(self, source: Source, place: Place, limit: int) -> bytes:
        query: dict[str, str | int | bool] = {
            "container": source.container,
            "timestamps": True,
            "limitBytes": limit,
            "previous": not source.is_current,
        }
        if place.at_ns:
            query["sinceTime"] = f"{datetime.fromtimestamp(place.at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return self._cluster.text(PODS.path(self._namespace, source.pod, "log"), query)

    def _follow(self, source: Source, held: list[Line]) -> None:
        query: dict[str, str | int | bool] = {
            "container": source.container,
            "timestamps": True,
            "follow": True,
            "sinceSeconds": _HELD_SECONDS,
        }
        path = PODS.path(self._namespace, source.pod, "log")
        # Without it the log ends where it was read last.
        with suppress(LaunchyardError), self._cluster.stream(path, query, _SILENCE_SECONDS) as stream:
            for line in lines_of(stream):
                held.extend(_read([line]))
                del held[:-HELD_LINES]


def _sources(pods: Sequence[PodState]) -> Iterator[Source]:
    """What is to be read, in order. Of earlier instances of a container the node keeps the last one."""
    for pod in pods:
        for container, restarts in pod.containers:
            if restarts:
                yield Source(pod.name, container, restarts - 1, is_current=False)
            yield Source(pod.name, container, restarts, is_current=True)


def _read(said: Iterable[str]) -> list[Line]:
    found = []
    for line in said:
        stamp, _, text = line.partition(" ")
        # What has no time is the node's own word, for instance that it has removed the container.
        with suppress(ValueError):
            found.append(Line(_nanoseconds(stamp), text))
    return found


def _nanoseconds(stamp: str) -> int:
    """A time as the node writes it: with up to nine digits of a second, and any offset."""
    whole, _, rest = stamp.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    moment = datetime.fromisoformat(whole + rest[len(digits) :] if rest else whole)
    return int(moment.timestamp()) * 10**9 + int(digits.ljust(9, "0") or 0)
