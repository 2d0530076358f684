"""One thread asks a platform for all jobs at one place, and everybody else has its answers.

Where nobody follows the jobs, as in a program that looks once, whoever needs an answer asks by himself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from broker_config.errors import ConfigError, TemporaryError
from workers.failures import RunFailed
from workers.targets.pace import Bounds, Pace

logger = logging.getLogger(__name__)


class Poll:
    """The asking for one place."""

    def __init__(
        self, place: str, look: Callable[[], Sequence[str]], changed: Callable[[str], None], bounds: Bounds
    ) -> None:
        """`look` asks once, and says of which jobs there is something new; `changed` is told each of them."""
        self.bounds = bounds
        self._place = place
        self._look_once = look
        self._changed = changed
        self._pace = Pace(bounds)
        self._asking = threading.Lock()
        self._answered_at = float("-inf")
        self._silence = ""
        self._is_hurried = False
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Ask by a thread from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._place, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._wake.set()

    def hurry(self) -> None:
        """Ask soon: something was begun, or is about to be told. Also `look` may say so, of the next time."""
        self._is_hurried = True
        self._pace.hurry()
        self._wake.set()

    def heard(self) -> None:
        """The platform has answered something else, so it is there."""
        self._answered_at = time.monotonic()

    @property
    def is_old(self) -> bool:
        """Whether nobody follows the jobs, and what is known of them has to be asked for again."""
        return self._thread is None and self._age > self.bounds.fresh

    def ask(self, lacks: Callable[[], bool], find: Callable[[], Sequence[str]]) -> None:
        """Ask once with `find`, if it is needed still when this thread's turn has come.

        Raises:
            TemporaryError: when the platform does not answer, or is to be left alone.
        """
        with self._asking:
            if lacks():
                self._heard(find)

    def expect_answer(self) -> None:
        """Make sure that what was heard last is not too old.

        Raises:
            TemporaryError: when it is, with why.
        """
        if self._silence and self._age > self.bounds.stale:
            raise TemporaryError(self._silence)

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(max(self._pace.seconds_left, 0.05))
            self._wake.clear()
            if self._pace.seconds_left <= 0 and not self._stop.is_set():
                for name in self._look():
                    self._changed(name)

    def _look(self) -> Sequence[str]:
        """Ask once; what goes wrong is told to whoever asks for a job."""
        try:
            with self._asking:
                return self._heard(self._look_once)
        except TemporaryError:
            return ()
        except Exception as error:
            # A thread that ended here would leave all jobs as they were last seen.
            logger.exception("watch-fault place=%s", self._place)
            self._silence = f"{self._place} could not be asked: {error!r}"
            self._pace.failed()
            return ()

    def _heard(self, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
        if self._pace.is_pausing:
            raise TemporaryError(self._silence)
        self._is_hurried = False
        try:
            news = ask()
        except (TemporaryError, ConfigError, RunFailed) as error:
            self._silence = str(error)
            self._pace.failed(getattr(error, "hint_seconds", 0.0))
            raise TemporaryError(self._silence) from error
        self._silence = ""
        self.heard()
        self._pace.answered(with_news=bool(news) or self._is_hurried)
        return news

    @property
    def _age(self) -> float:
        return time.monotonic() - self._answered_at
