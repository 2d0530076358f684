"""The output of an object's pods, container by container, from a position on: no line twice, none left out unsaid.

The server finds lines by the second at which they were written. So the lines of the last second are read again, and
those that were taken are left out: by their time in nanoseconds, and by their number where times repeat.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from broker_config.errors import TemporaryError
from workers.kubernetes.cluster import ANSWER_SECONDS, Cluster, Refused
from workers.kubernetes.pods import PodState
from workers.kubernetes.resource import PODS
from workers.targets.kubernetes.last_words import Followers, Held
from workers.targets.kubernetes.output import LINE_BYTES, PIECE_BYTES, Place, Taken, behind, moment, read, split, take
from workers.targets.protocol import LogChunk

CHUNK_CHARACTERS = 4 * 1024 * 1024
"""Read of all containers together in one call."""

_LAST_WORDS_SECONDS = 2.0
"""How long the end of a log is waited for that is followed, once its pod is gone."""

_MUCH_CHARACTERS = 1024 * 1024
"""A node begins a new file after 10 MiB, unless it is told otherwise."""

_SOON_NS = 3 * 10**9
"""How long after its start the first line of a container may come that prints much."""

_BAD_REQUEST = 400
"""The server's answer for a container that has not started, or has no earlier instance."""

_RUN = "run"
"""In a position, beside the keys of sources: whose it is, with the attempt."""

NO_LOG = "the pods are gone, and their log with them"


@dataclass(frozen=True, slots=True)
class Source:
    """One start of a container."""

    pod: str
    uid: str  # the pod's: one that is made again under its name is another one
    container: str
    restart: int
    is_current: bool = False  # the node has no later one
    has_ended: bool = True
    is_leaving: bool = True  # its pod
    is_gone: bool = True  # nobody but a position tells of it
    began_ns: int = 0  # 0: not known

    @property
    def key(self) -> str:
        return f"{self.pod}/{self.uid}/{self.container}#{self.restart}"

    @classmethod
    def parse(cls, key: str) -> Source:
        """Of one that is gone."""
        name, _, restart = key.rpartition("#")
        pod, uid, container = name.split("/")
        return cls(pod, uid, container, int(restart))

    def __str__(self) -> str:
        return f"container {self.container} of pod {self.pod}"


@dataclass
class _Reading:
    """What one call has found."""

    places: dict[str, Place]
    share: int  # of each container, in characters
    run_has_ended: Callable[[], bool]
    lines: list[str] = field(default_factory=list)
    has_more: bool = False
    requests: int = 0
    failure: TemporaryError | None = None

    def say(self, what: str) -> None:
        """A line of our own."""
        self.lines.append(f"--- launchyard: {what} ---")


class Logs:
    """The logs in one namespace of a cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._followers = Followers(cluster)
        self._held: dict[str, dict[str, Held]] = {}  # by the run's name, and the source's key
        self._ends: defaultdict[str, set[str]] = defaultdict(set)  # the same: those found to have nothing more

    def read(self, run: str, pods: Sequence[PodState], position: str, has_ended: Callable[[], bool]) -> LogChunk:
        """The next chunk from a position on.

        Raises:
            TemporaryError: when the cluster does not tell of one, and there is nothing new of the others.
        """
        places = _places(run, position)
        self.hold(run, [pod for pod in pods if pod.is_leaving])
        sources = _sources(pods, places, self._held.get(run, {}))
        live = [one for one in sources if not places.get(one.key, Place()).is_end and one.key not in self._ends[run]]
        reading = _Reading(places, max(CHUNK_CHARACTERS // max(len(live), 1), LINE_BYTES), has_ended)
        _tell_skipped(pods, reading)
        for source in live:
            prefix = f"[{source.pod} {source.container}] " if len(sources) > 1 else ""
            self._take(run, source, prefix, reading)
        if not sources and not places and has_ended():
            reading.say(NO_LOG)
            reading.places[""] = Place(is_end=True)
        if not reading.lines:
            if reading.failure is not None:
                raise reading.failure
            return LogChunk((), position, requests=reading.requests)
        kept = {key: (one.at_ns, one.taken, *[1] * one.is_end) for key, one in reading.places.items()}
        return LogChunk(reading.lines, json.dumps({_RUN: run, **kept}), reading.has_more, reading.requests)

    def hold(self, run: str, pods: Sequence[PodState]) -> None:
        """Keep what the pods still print: they are about to be deleted, and their logs with them."""
        for source in _of(pods):
            if source.is_current and not source.has_ended and source.key not in self._held.get(run, {}):
                path = PODS.path(self._namespace, source.pod, "log")
                if (held := self._followers.follow(path, source.container)) is not None:
                    self._held.setdefault(run, {})[source.key] = held

    def drop(self, run: str) -> None:
        """Keep nothing of a run's pods any more."""
        self._held.pop(run, None)
        self._ends.pop(run, None)

    def _take(self, run: str, source: Source, prefix: str, reading: _Reading) -> None:
        """Add what a container has printed since, and what of it is lost."""
        place = reading.places.get(source.key, Place())
        try:
            found, is_end, lost = self._fresh(source, place, reading) or self._last_words(run, source, place, reading)
        except TemporaryError as error:
            # What the others print is worth something; the end of this one is asked for again.
            reading.failure = error
            reading.has_more = reading.has_more or reading.run_has_ended()
            return
        if lost:
            reading.say(lost)
        reading.lines += [prefix + line.text for line in found.lines]
        reading.has_more = reading.has_more or found.has_more
        if found.lines or lost:
            reading.places[source.key] = behind(place, found.lines, is_end=is_end)
        elif is_end:
            self._ends[run].add(source.key)

    def _fresh(self, source: Source, place: Place, reading: _Reading) -> tuple[Taken, bool, str] | None:
        """What a container has printed since, whether that is all, and what is lost; None where its log is gone."""
        if source.is_gone:
            return None
        reading.requests += 1
        try:
            found = self._asked(source, place, reading.share)
        except Refused as error:
            if not error.is_not_found and error.status != _BAD_REQUEST:
                raise
            is_coming = source.is_current and not source.is_leaving
            if is_coming and not (error.is_not_found and reading.run_has_ended()):
                return Taken(), False, ""
            return None
        is_end = source.has_ended and not found.has_more
        if is_end and found.words:
            return found, True, f"the node of {source} says: {found.words}; what it printed after {place} may be lost"
        is_cut = not found.joins and (found.lines or is_end)
        if is_cut or (not place.at_ns and _is_late(source, found)):
            until = _begin(found)
            return (
                found,
                is_end,
                f"{source} has a new log file; what it printed between {place} and {until} may be lost",
            )
        return found, is_end, ""

    def _last_words(self, run: str, source: Source, place: Place, reading: _Reading) -> tuple[Taken, bool, str]:
        """What was kept of a container whose log is gone."""
        held = self._held.get(run, {}).get(source.key)
        if held is None:
            return Taken(), True, _gone(source, place)
        held.over.wait(_LAST_WORDS_SECONDS)
        found = held.behind(place, reading.share)
        is_end = not found.has_more
        if not found.joins:
            until = _begin(found)
            return found, is_end, f"{source} printed too much; what it printed between {place} and {until} is lost"
        is_whole = held.over.is_set() and held.is_whole
        return found, is_end, _gone(source, behind(place, found.lines, is_end=True)) if is_end and not is_whole else ""

    def _asked(self, source: Source, place: Place, most: int) -> Taken:
        query: dict[str, str | int | bool] = {
            "container": source.container,
            "timestamps": True,
            "previous": not source.is_current,
        }
        if place.at_ns:
            query["sinceTime"] = f"{datetime.fromtimestamp(place.at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"
        path = PODS.path(self._namespace, source.pod, "log")
        with self._cluster.stream(path, query, ANSWER_SECONDS[1]) as stream:
            texts = split(stream.stream(PIECE_BYTES, decode_content=True), is_over=source.has_ended)
            return take(read(texts), place, most)


def _places(run: str, position: str) -> dict[str, Place]:
    """By the source's key. A position of the run's earlier attempt says nothing of this one's pods."""
    kept = json.loads(position or "{}")
    if kept.pop(_RUN, run) != run:
        return {}
    return {key: Place(*place) for key, place in kept.items()}


def _gone(source: Source, place: Place) -> str:
    return f"{source} was gone before its log was read to the end; what it printed after {place}, if anything, is lost"


def _is_late(source: Source, found: Taken) -> bool:
    """Whether what is the first that is read of a container is hardly the first that it has printed."""
    is_much = found.has_more or found.size >= _MUCH_CHARACTERS
    return is_much and bool(source.began_ns) and found.lines[0].at_ns - source.began_ns > _SOON_NS


def _begin(found: Taken) -> str:
    return moment(found.lines[0].at_ns) if found.lines else "its end"


def _of(pods: Sequence[PodState]) -> Iterator[Source]:
    """What the nodes tell of, in order. Of earlier starts of a container they keep the last one."""
    for pod in pods:
        is_leaving = pod.is_leaving or pod.has_ended
        for one in pod.containers:
            if one.has_earlier:
                yield Source(pod.name, pod.uid, one.name, one.restarts - 1, is_leaving=is_leaving, is_gone=False)
            yield Source(
                *(pod.name, pod.uid, one.name, one.restarts),
                is_current=True,
                has_ended=one.has_ended,
                is_leaving=is_leaving,
                is_gone=False,
                began_ns=one.began_at * 10**9,
            )


def _sources(pods: Sequence[PodState], places: Mapping[str, Place], held: Mapping[str, Held]) -> Sequence[Source]:
    """These, and those that were there before and are gone."""
    found = {one.key: one for one in _of(pods)}
    newest = {(one.pod, one.uid, one.container): one.restart for one in found.values()}
    there = {(pod.name, pod.uid) for pod in pods}
    before = [Source.parse(key) for key in dict.fromkeys([*places, *held]) if key and key not in found]
    # Of a container whose pod is there and that is not told of, nothing is known at this moment.
    gone = [
        one
        for one in before
        if (one.pod, one.uid) not in there or one.restart < newest.get((one.pod, one.uid, one.container), 0)
    ]
    return [*found.values(), *gone]


def _tell_skipped(pods: Sequence[PodState], reading: _Reading) -> None:
    """Say which starts of a container came and went between two calls."""
    read = [Source.parse(key) for key in reading.places if key]
    for pod in pods:
        for one in pod.containers:
            first = one.restarts - one.has_earlier
            last = max(
                (at.restart for at in read if (at.pod, at.uid, at.container) == (pod.name, pod.uid, one.name)),
                default=-1,
            )
            if first > last + 1:
                what = f"{first - last - 1} starts" if first > last + 2 else "a start"
                reading.say(f"the log of {what} of container {one.name} of pod {pod.name} was gone before it was read")
                reading.places[Source(pod.name, pod.uid, one.name, first - 1).key] = Place(is_end=True)
