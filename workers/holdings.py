"""Which runs this agent carries on: each by one thread at a time, and all of them counted by the gate."""

from __future__ import annotations

import threading

from workers.gate import Gate


class Holdings:
    """The ids of the runs in this agent's hands. Safe to use from all threads."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def reserve(self, run_id: str) -> bool:
        """Make the caller the one who carries the run on. False when another thread does."""
        with self._lock:
            if run_id in self._ids:
                return False
            self._ids.add(run_id)
            return True

    def hold(self, run_id: str) -> None:
        """The run takes a place, whether there is one or not."""
        self._gate.hold(run_id)

    def find_place(self, run_id: str) -> bool:
        """The run takes a place, if there is one."""
        return self._gate.reserve(run_id)

    def let_go(self, run_id: str) -> None:
        """The run has ended, or is somebody else's; its place is free."""
        with self._lock:
            self._ids.discard(run_id)
        self._gate.let_go(run_id)

    def ids(self) -> set[str]:
        """The runs at this moment."""
        with self._lock:
            return set(self._ids)
