"""One thread that learns of every process's end: pidfds in one selector, or a look at all of them twice a second."""

from __future__ import annotations

import os
import selectors
import threading
from collections.abc import Callable

from workers.targets.local_process.folder import ProcessFolder

_PERIOD_SECONDS = 0.5
"""How often `stop` is seen, and processes without a pidfd are looked at."""

_STARTING_SECONDS = 0.05
"""How often a process is looked at that is about to start."""


class ExitWatch:
    """The processes whose change is of interest. `add` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: dict[str, ProcessFolder] = {}
        self._known: set[str] = set()
        self._woken, self._waking = os.pipe()
        for end in (self._woken, self._waking):
            os.set_blocking(end, False)

    def add(self, name: str, folder: ProcessFolder) -> None:
        """Tell of this process's start and end; it may have been added before."""
        with self._lock:
            if name in self._known:
                return
            self._known.add(name)
            self._added[name] = folder
        try:
            os.write(self._waking, b"!")
        except BlockingIOError:
            return  # A full pipe wakes as well.

    def run(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        """Tell of changes until `stop` is set."""
        changed(None)
        watch = _Round(changed)
        watch.selector.register(self._woken, selectors.EVENT_READ)
        try:
            while not stop.is_set():
                self._forget(watch.wait())
                for name, folder in self._take_added().items():
                    watch.take(name, folder)
        finally:
            # The next round begins with `changed(None)`, after which the agent observes, and so adds, all of its runs.
            self._forget([*self._known])
            watch.close()

    def _take_added(self) -> dict[str, ProcessFolder]:
        with self._lock:
            added, self._added = self._added, {}
        if added:
            os.read(self._woken, 65536)
        return added

    def _forget(self, names: list[str]) -> None:
        with self._lock:
            self._known.difference_update(names)


class _Round:
    """What one call of `run` watches; only its thread touches it."""

    def __init__(self, changed: Callable[[str | None], None]) -> None:
        self.selector = selectors.DefaultSelector()
        self._changed = changed
        self._starting: dict[str, ProcessFolder] = {}
        self._polled: dict[str, ProcessFolder] = {}

    def take(self, name: str, folder: ProcessFolder) -> None:
        if not folder.has_started:
            self._starting[name] = folder
            return
        descriptor = folder.open_pidfd()
        if descriptor is None:
            self._polled[name] = folder
        else:
            self.selector.register(descriptor, selectors.EVENT_READ, name)

    def wait(self) -> list[str]:
        """Wait for a while and tell of what changed; the names that have ended."""
        ended = self._take_leave()
        for name in [name for name, folder in self._starting.items() if folder.has_started]:
            self.take(name, self._starting.pop(name))
            self._changed(name)
        period = 0 if ended else _STARTING_SECONDS if self._starting else _PERIOD_SECONDS
        for key, _ in self.selector.select(period):
            if key.data is not None:
                self.selector.unregister(key.fd)
                os.close(key.fd)
                ended.append(key.data)
        for name in ended:
            self._changed(name)
        return ended

    def _take_leave(self) -> list[str]:
        """Those without a pidfd that have ended since the last look."""
        ended = [name for name, folder in (self._polled | self._starting).items() if folder.is_over]
        for name in ended:
            self._polled.pop(name, None)
            self._starting.pop(name, None)
        return ended

    def close(self) -> None:
        for key in [*self.selector.get_map().values()]:
            if key.data is not None:
                os.close(key.fd)
        self.selector.close()
