"""How many requests this process makes over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Calls(logging.Handler):
    """Counts the requests that were answered: urllib3 logs a line of each."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += '"%s %s %s"' in record.msg


@contextmanager
def calls() -> Iterator[Calls]:
    """Those from now on."""
    logger, counted = logging.getLogger("urllib3.connectionpool"), Calls()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(counted)
    try:
        yield counted
    finally:
        logger.removeHandler(counted)
        logger.setLevel(level)
