"""Waiting for something that another process does, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(ask: Callable[[], T], seconds: float = 20.0) -> T:
    """The first answer that is true; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"did not come true within {seconds} s; the last answer was {answer!r}"
        time.sleep(0.01)
    return answer
