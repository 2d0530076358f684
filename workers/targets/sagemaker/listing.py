"""When the jobs at one place are asked for: once for all who want to know, and not while SageMaker wants no calls."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from broker_config.errors import ConfigError, TemporaryError
from workers.targets.protocol import Observation
from workers.targets.sagemaker.account import Refused, Throttled
from workers.targets.sagemaker.jobs import Job, Jobs
from workers.targets.sagemaker.knowledge import Knowledge
from workers.targets.sagemaker.pace import Bounds, Pace

logger = logging.getLogger(__name__)


class Listing:
    """The jobs of one kind in one account and region."""

    def __init__(self, jobs: Jobs, changed: Callable[[str], None], bounds: Bounds) -> None:
        """`changed` is told the name of a job whose phase may have changed."""
        self._account = jobs.account
        self._changed = changed
        self._pace = Pace(bounds)
        self._knowledge = Knowledge(jobs, bounds.settled)
        self._asking = threading.Lock()  # one thread asks, and the others have its answer
        self._answered_at = float("-inf")
        self._silence = ""  # why there was no answer the last time
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Have the list read by a thread from now on."""
        if self._thread is None:
            name = f"sagemaker {self._account}"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._wake.set()

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        """Where the jobs are. Those that are gone, or were released, are not in the answer.

        Raises:
            TemporaryError: when SageMaker does not say.
        """
        if self._lacks(names):
            with self._asking:
                # Another thread may have asked meanwhile.
                if self._lacks(names):
                    self._ask(self._knowledge.unknown(names))
        if self._silence and self._knowledge.has_live(names) and self._age > self._pace.bounds.stale:
            raise TemporaryError(self._silence)
        return self._knowledge.seen(names)

    def put(self, job: Job) -> None:
        """Know a job that was just made, and is in no list yet."""
        self._knowledge.put(job)
        self._answered_at = time.monotonic()
        self.hurry()

    def hurry(self) -> None:
        """Read the list soon: something was begun."""
        self._pace.hurry()
        self._wake.set()

    def drop(self, name: str) -> None:
        """Forget a job."""
        self._knowledge.drop(name)

    def job(self, name: str) -> Job | None:
        """What was last said of a job that is known here."""
        return self._knowledge.job(name)

    def _lacks(self, names: Sequence[str]) -> bool:
        """Whether SageMaker has to be asked: for a job that is not known, or because nobody follows them."""
        if self._knowledge.unknown(names):
            return True
        return self._thread is None and self._age > self._pace.bounds.fresh and self._knowledge.has_live(names)

    @property
    def _age(self) -> float:
        """Seconds since the last answer."""
        return time.monotonic() - self._answered_at

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(max(self._pace.seconds_left, 0.05))
            self._wake.clear()
            if self._pace.seconds_left <= 0 and not self._stop.is_set():
                for name in self._look():
                    self._changed(name)

    def _look(self) -> Sequence[str]:
        """Read the list once, and say what is new; what goes wrong is told to whoever asks for a job."""
        try:
            with self._asking:
                return self._ask([])
        except TemporaryError:
            return ()
        except Exception as error:
            # A thread that ended here would leave all jobs as they were last seen.
            logger.exception("watch-fault place=%s", self._account)
            self._silence = f"{self._account} could not be asked: {error!r}"
            self._pace.failed()
            return ()

    def _ask(self, unknown: Sequence[str]) -> Sequence[str]:
        if self._pace.is_pausing:
            raise TemporaryError(self._silence)
        try:
            if unknown:
                self._knowledge.find(unknown)
            news = [] if unknown else self._knowledge.update()
        except (TemporaryError, ConfigError, Refused) as error:
            self._silence = str(error)
            self._pace.failed(error.hint_seconds if isinstance(error, Throttled) else 0.0)
            raise TemporaryError(self._silence) from error
        self._silence = ""
        self._answered_at = time.monotonic()
        self._pace.answered(with_news=bool(news or unknown) or self._knowledge.is_due)
        return news
