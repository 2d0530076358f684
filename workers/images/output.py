"""The output of a build, passed on while it runs."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from broker_config.errors import TemporaryError
from workers.failures import RunCancelled
from workers.images.steps import Ended

_LOOK_SECONDS = 0.2
_LAST_READ_SECONDS = 5


class Running(Protocol):
    """A build under way."""

    def lines(self) -> Iterator[str]:
        """Its output until its end; blocks between the lines."""

    def end(self) -> None:
        """End it, from another thread, within a second."""

    def ended(self) -> Ended:
        """After its last line: how it went.

        Raises:
            TemporaryError: when that cannot be told.
        """


def follow(running: Running, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Ended:
    """Give each line of a build to `log` until its end; returns how it ended.

    Reading blocks, so a thread of its own does that. The build is also ended when this function is left early.

    Raises:
        RunCancelled: when `cancelled` said yes; the build has ended then.
        TemporaryError: when the output could not be read.
    """
    coming: queue.SimpleQueue[str | TemporaryError | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(running.lines(), coming), name="build-output", daemon=True)
    reader.start()
    is_over = False
    try:
        _pass_on(coming, log, cancelled)
        is_over = True
    finally:
        if not is_over:
            running.end()
        reader.join(_LAST_READ_SECONDS)
    return running.ended()


def _pass_on(
    coming: queue.SimpleQueue[str | TemporaryError | None],
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> None:
    asked = 0.0
    while True:
        if time.monotonic() - asked >= _LOOK_SECONDS:
            asked = time.monotonic()
            if cancelled():
                raise RunCancelled("the build was cancelled")
        try:
            line = coming.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return
        if isinstance(line, TemporaryError):
            raise line
        log(line)


def _read(lines: Iterable[str], coming: queue.SimpleQueue[str | TemporaryError | None]) -> None:
    try:
        for line in lines:
            coming.put(line.rstrip("\r\n"))
    except (OSError, ValueError, RuntimeError) as error:
        coming.put(TemporaryError(f"the build's output broke off: {error}"))
    coming.put(None)
