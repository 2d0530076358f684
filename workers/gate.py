"""The gate: an agent fetches an order only while it may hold one more run.

It does not count the pool's threads, as Celery does, but runs: those that were claimed and have not ended, and the
orders that are in a thread's hands. An order that was fetched too early would be lost to other agents, and to a
critical run that comes later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Gate:
    """Counts what the agent holds. Safe to use from all threads."""

    def __init__(self, max_jobs: int) -> None:
        self.max_jobs = max_jobs
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._orders: set[str] = set()  # fetched, and the task has not handed them over yet
        self._live: set[str] = set()  # claimed, and not ended
        self._closed = False
        self._paused = False
        self._waits = False  # the worker's loop was sent away, and sleeps
        self.wake: Callable[[], None] = lambda: None
        """Called when the gate may have opened for a loop that was sent away."""

    def is_open(self, threads: int) -> bool:
        """Whether one more order may be fetched, given the number of threads that carry orders out."""
        with self._lock:
            has_thread = len(self._orders) < threads
            is_open = has_thread and self._has_place() and not (self._closed or self._paused)
            self._waits = not is_open
        return is_open

    def close(self) -> None:
        """Fetch nothing more: the agent stops, or its lease is lost."""
        self._closed = True

    def pause(self, paused: bool) -> None:
        """Fetch nothing, or fetch again."""
        self._paused = paused
        self._wake()

    def fetched(self, run_id: str) -> None:
        """An order came."""
        with self._lock:
            self._orders.add(run_id)

    def handed_over(self, run_id: str) -> None:
        """The task that carried the order out is done."""
        with self._lock:
            self._orders.discard(run_id)
            self._changed.notify_all()
        self._wake()

    def wait_until_handed_over(self) -> None:
        """Return when no order is in a thread's hands."""
        with self._changed:
            self._changed.wait_for(lambda: not self._orders)

    def reserve(self, run_id: str) -> bool:
        """Hold a run of another agent, if there is a place for it."""
        with self._lock:
            if self._closed or self._paused or not self._has_place():
                return False
            self._live.add(run_id)
        return True

    def hold(self, run_id: str) -> None:
        """The run is the agent's until `let_go`."""
        with self._lock:
            self._live.add(run_id)

    def let_go(self, run_id: str) -> None:
        """The run has ended, or is another agent's."""
        with self._lock:
            self._live.discard(run_id)
        self._wake()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held, and no order is in hand."""
        with self._lock:
            return not (self._live or self._orders)

    @property
    def live(self) -> int:
        """Runs that the agent holds."""
        return len(self._live)

    def _wake(self) -> None:
        if self._waits:
            self.wake()

    def _has_place(self) -> bool:
        return self.max_jobs < 0 or len(self._live) + len(self._orders - self._live) < self.max_jobs
