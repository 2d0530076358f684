"""One thread asks a platform for all jobs at one place, and everybody else has its answers.

It takes turns with the other agents that ask there, where it hears of any.

Where nobody follows the jobs, as in a program that looks once, whoever needs an answer asks by himself.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

from broker_config.errors import ConfigError, TemporaryError
from workers.failures import RunFailed
from workers.targets.neighbours import Neighbours
from workers.targets.pace import Bounds, Pace
from workers.targets.throttling import Throttled

logger = logging.getLogger(__name__)


class Poll:
    """The asking for one place."""

    def __init__(
        self,
        place: str,
        look: Callable[[], Sequence[str]],
        changed: Callable[[str], None],
        bounds: Bounds,
        neighbours: Neighbours | None = None,
    ) -> None:
        """`look` asks once, and says of which jobs there is something new; `changed` is told each of them."""
        self.bounds = bounds
        self._neighbours = neighbours
        self._place = place
        self._look_once = look
        self._changed = changed
        self._pace = Pace(bounds)
        self._asking = threading.Lock()
        self._answered_at = float("-inf")
        self._silence = ""
        self._is_hurried = False
        self._looked_at = float("-inf")  # by this agent's own list
        self._needs_own = False
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

    def insist(self, seconds: float | None = None) -> None:
        """Ask soon, or within `seconds`, for what no other agent's list is of use. Also `look` may say so."""
        self._needs_own = True
        self._is_hurried = True
        self._pace.hurry(seconds)
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
        if (self._silence or self._pace.is_pausing) and self._age > self.bounds.stale:
            raise TemporaryError(self._why)

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(self._rest_seconds)
            self._wake.clear()
            if not self._stop.is_set():
                for name in self._look():
                    self._changed(name)

    @property
    def _rest_seconds(self) -> float:
        rest = max(self._pace.seconds_left, 0.05)
        return min(rest, self.bounds.listening) if self._neighbours and self._neighbours.are_heard else rest

    def _look(self) -> Sequence[str]:
        """Ask once, if it is time; what goes wrong is told to whoever asks for a job."""
        try:
            self._listen()
            if self._pace.seconds_left > 0 or not self._has_turn():
                return ()
            with self._asking:
                # What was begun while this thread waited for its turn is in the list, too.
                self._needs_own = False
                self._looked_at = time.monotonic()
                return self._heard(self._look_once)
        except TemporaryError:
            return ()
        except Exception as error:
            # A thread that ended here would leave all jobs as they were last seen.
            logger.exception("watch-fault place=%s", self._place)
            self._silence = f"{self._place} could not be asked: {error!r}"
            self._pace.failed()
            return ()

    def _listen(self) -> None:
        if self._neighbours is None:
            return
        pause, is_news = self._neighbours.hear()
        if pause and not self._pace.is_pausing:
            # Not all at once, when it is over.
            self._pace.pause(pause + random.uniform(0.0, self.bounds.fastest))
        if is_news:
            self.insist(0.0)

    def _has_turn(self) -> bool:
        if self._neighbours is None:
            return True
        alone = self._needs_own or bool(self._silence) or time.monotonic() - self._looked_at > self.bounds.alone
        turn = self._neighbours.turn(self._pace.period, self.bounds, alone=alone)
        if turn.is_mine:
            return not self._stop.wait(turn.seconds)
        self._pace.defer(turn.seconds)
        return False

    def _heard(self, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
        if self._pace.is_pausing:
            raise TemporaryError(self._why)
        self._is_hurried = False
        try:
            news = ask()
        except (TemporaryError, ConfigError, RunFailed) as error:
            self._failed(error)
            raise TemporaryError(self._silence) from error
        self._silence = ""
        self.heard()
        self._pace.answered(with_news=bool(news) or self._is_hurried)
        return news

    def _failed(self, error: Exception) -> None:
        self._silence = str(error)
        self._pace.failed(error.hint_seconds if isinstance(error, Throttled) else 0.0)
        if isinstance(error, Throttled) and self._neighbours is not None:
            self._neighbours.pause(self._pace.seconds_left)

    @property
    def _why(self) -> str:
        return self._silence or f"{self._place} has asked another agent to wait, and is left alone by all for a while"

    @property
    def _age(self) -> float:
        return time.monotonic() - self._answered_at
