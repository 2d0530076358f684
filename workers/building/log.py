"""What a build prints, on its way to those who follow it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from broker_config.errors import TemporaryError
from workers.builders.protocol import Artifact

logger = logging.getLogger(__name__)

BATCH = 50  # lines
PERIOD_SECONDS = 0.5
LATE_PERIOD_SECONDS = 5.0
MOST_LATE_LINES = 2000


def summary(artifact: Artifact, seconds: float) -> Iterator[str]:
    """What a build's log ends with: what the build took and made, step by step where its builder tells of steps."""
    cached = sum(step.is_cached for step in artifact.steps)
    told = [f"{len(artifact.steps)} steps, {cached} of them cached"] if artifact.steps else []
    told += [f"{artifact.size_bytes / 1e6:,.1f} MB"] if artifact.size_bytes is not None else []
    yield f"built in {seconds:.1f} s{': ' if told else ''}{'; '.join(told)}"
    for step in artifact.steps:
        yield f"  {'cached' if step.is_cached else f'{step.seconds:.1f} s':>8}  {step.name}"


class BuildLog:
    """Passes a build's output on in batches. The build goes on while the broker takes none."""

    def __init__(self, write: Callable[[list[str]], None]) -> None:
        self._write = write
        self._lines: list[str] = []
        self._flushed = time.monotonic()
        self._is_late = False

    def add(self, line: str) -> None:
        """One line of output."""
        self._lines.append(line)
        if len(self._lines) >= BATCH and not self._is_late:
            self.flush()
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Write what came if somebody who follows the log has waited long enough."""
        if time.monotonic() - self._flushed > (LATE_PERIOD_SECONDS if self._is_late else PERIOD_SECONDS):
            self.flush()

    def flush(self) -> None:
        """Write what is left."""
        if self._lines:
            try:
                self._write(self._lines)
                self._lines, self._is_late = [], False
            except TemporaryError as error:
                logger.warning("build-log-late: %s", error)
                self._lines, self._is_late = self._lines[-MOST_LATE_LINES:], True
        self._flushed = time.monotonic()
