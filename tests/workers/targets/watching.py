"""A target that watches its jobs, for the time of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workers.targets.protocol import Target


@contextmanager
def followed(target: Target) -> Iterator[list[str | None]]:
    """What a target that watches its jobs tells of them."""
    stop = threading.Event()
    told: list[str | None] = []
    thread = threading.Thread(target=target.watch, args=(told.append, stop))
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(10)
