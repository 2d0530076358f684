"""What a fake platform does wrong on purpose, and how often it was asked."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Fault:
    """How the next calls of an operation go wrong."""

    operation: str  # "": any
    times: int = 1
    code: str = ""  # of an error; "": the connection breaks
    breaks: bool = True  # False: there is only a wait
    status: int = 400
    message: str = "made by a test"
    headers: dict[str, str] = field(default_factory=dict)
    is_done: bool = False  # the work is done first, and only its answer is lost
    seconds: float = 0.0  # before any answer


class Faults:
    """The faults to come, and the calls that were. Safe to use from all threads."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._coming: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Have this happen."""
        with self._lock:
            self._coming.append(fault)

    def clear(self) -> None:
        """Have nothing happen any more."""
        with self._lock:
            self._coming.clear()

    def met(self, operation: str) -> Fault | None:
        """Count a call, and take the fault that it meets."""
        with self._lock:
            self.calls[operation] += 1
            for fault in self._coming:
                if fault.operation in {"", operation} and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None
