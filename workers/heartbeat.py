"""What the agent does again and again: one thread, each duty with its own period."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from broker_config.errors import LaunchyardError

logger = logging.getLogger(__name__)


@dataclass
class _Duty:
    name: str
    seconds: float
    call: Callable[[], None]
    due: float = field(default=0.0)


class Heartbeat:
    """Calls each duty every so many seconds, the first time at once. A duty that fails is called again later."""

    def __init__(self, beaten: Callable[[], None] = lambda: None) -> None:
        """`beaten` is called after each duty, whatever became of it."""
        self._beaten = beaten
        self._duties: list[_Duty] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Add a duty before the start: a function or method, as the log calls it by its name."""
        # Asked for here, where a callable that has none is found at once, and not when the duty first fails.
        self._duties.append(_Duty(call.__name__, seconds, call))

    def start(self) -> None:
        """Begin, where there is anything to do."""
        if self._duties:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a duty under way is finished first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _beat(self) -> None:
        while not self._stop.wait(max(0.0, min(duty.due for duty in self._duties) - time.monotonic())):
            for duty in self._duties:
                if duty.due <= time.monotonic():
                    self._call(duty)
                    self._beaten()

    def _call(self, duty: _Duty) -> None:
        try:
            duty.call()
        except LaunchyardError as error:
            logger.warning("duty-retry %s: %s", duty.name, error)
        except Exception:
            logger.exception("duty-fault %s", duty.name)
        duty.due = time.monotonic() + duty.seconds
