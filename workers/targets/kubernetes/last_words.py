"""What containers print while they are being ended: their pods are about to be deleted, and their logs with them."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress

from broker_config.errors import LaunchyardError
from workers.kubernetes.cluster import Cluster, Query
from workers.targets.kubernetes.output import PIECE_BYTES, Line, Place, Taken, read, split, take

HELD_CHARACTERS = 4 * 1024 * 1024
"""Kept of one container."""

MOST_FOLLOWED = 64
"""Containers at once: each takes a thread and a connection."""

_HELD_SECONDS = 1800
_SILENCE_SECONDS = 300.0


class Held:
    """The last output of one container."""

    def __init__(self) -> None:
        self.over = threading.Event()  # set when no more comes
        self.is_whole = False  # whether it was followed to its end
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque()
        self._size = 0
        self._dropped_ns = 0

    def keep(self, line: Line) -> None:
        """One more, in the place of the oldest where there are too many."""
        with self._lock:
            self._lines.append(line)
            self._size += len(line.text)
            while self._size > HELD_CHARACTERS:
                dropped = self._lines.popleft()
                self._size -= len(dropped.text)
                self._dropped_ns = dropped.at_ns

    def behind(self, place: Place, most: int) -> Taken:
        """The lines behind a place, up to so many characters."""
        with self._lock:
            found = take(self._lines, place, most)
            found.joins = self._dropped_ns <= place.at_ns
        return found


class Followers:
    """Threads that follow the logs of containers which are being ended."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._free = threading.Semaphore(MOST_FOLLOWED)

    def follow(self, path: str, container: str) -> Held | None:
        """Keep what a container prints from now on, and a while before; None where too many are followed."""
        if not self._free.acquire(blocking=False):
            return None
        held = Held()
        threading.Thread(target=self._work, args=(path, container, held), name=f"log {path}", daemon=True).start()
        return held

    def _work(self, path: str, container: str, held: Held) -> None:
        query: Query = {"container": container, "timestamps": True, "follow": True, "sinceSeconds": _HELD_SECONDS}
        try:
            # Who reads is told that it was not followed to its end.
            with suppress(LaunchyardError), self._cluster.stream(path, query, _SILENCE_SECONDS) as stream:
                for line in read(split(stream.stream(PIECE_BYTES, decode_content=True), is_over=True)):
                    if isinstance(line, Line):
                        held.keep(line)
                held.is_whole = True
        finally:
            held.over.set()
            self._free.release()
