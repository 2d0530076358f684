"""The output of a build, passed on while it runs."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from broker_config.errors import TemporaryError
from workers.failures import RunCancelled

LAST_LINES = 20
_LOOK_SECONDS = 0.2
_LAST_READ_SECONDS = 5


def follow(
    lines: Iterable[str], end: Callable[[], None], log: Callable[[str], None], cancelled: Callable[[], bool]
) -> Sequence[str]:
    """Give each line to `log` until they end; returns the last ones.

    Reading blocks, so a thread of its own does that. `end` ends the build, and thereby the lines; it is also called
    when this function is left early.

    Raises:
        RunCancelled: when `cancelled` said yes; the build has ended then.
        TemporaryError: when the output could not be read.
    """
    coming: queue.SimpleQueue[str | TemporaryError | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(lines, coming), name="docker-build-output", daemon=True)
    reader.start()
    last: deque[str] = deque(maxlen=LAST_LINES)
    is_over = False
    try:
        _pass_on(coming, last, log, cancelled)
        is_over = True
    finally:
        if not is_over:
            end()
        reader.join(_LAST_READ_SECONDS)
    return list(last)


def _pass_on(
    coming: queue.SimpleQueue[str | TemporaryError | None],
    last: deque[str],
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
        last.append(line)
        log(line)


def _read(lines: Iterable[str], coming: queue.SimpleQueue[str | TemporaryError | None]) -> None:
    try:
        for line in lines:
            coming.put(line.rstrip("\r\n"))
    except (OSError, ValueError, RuntimeError) as error:
        coming.put(TemporaryError(f"the build's output broke off: {error}"))
    coming.put(None)
