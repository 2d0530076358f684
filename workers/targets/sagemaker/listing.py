"""What is known of the jobs at one place: one list a period tells of all of them, however many they are.

The list gives what has changed since the one before. A job is described by itself only when it has ended, or when no
list has told of it: its reason and its tags are in no list. What lists may leave out, a full one finds now and then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from broker_config.errors import ConfigError, TemporaryError
from workers.targets.protocol import Observation
from workers.targets.sagemaker import states
from workers.targets.sagemaker.account import Refused, Throttled, server_time
from workers.targets.sagemaker.jobs import Job, Jobs
from workers.targets.sagemaker.marks import CANCELLED, is_released
from workers.targets.sagemaker.pace import Bounds, Pace

logger = logging.getLogger(__name__)

NAMES = "launchyard-"
"""In the name of every job of ours."""

FEW = 4
"""Up to so many unknown jobs are described one by one; more are looked for in a list first."""

OVERLAP = timedelta(seconds=15)
"""A change may come into the list that late, after others that were made later."""

VISIBLE_SECONDS = 60.0
"""So long after it was made a job may not be found, and be there all the same."""

FULL_SECONDS = 600.0
"""Between two lists of all jobs that run, for what the lists of changes have left out."""

NOT_BEGUN_SECONDS = 30.0
"""Between two looks at a processing job that has not begun."""

FORGET_SECONDS = 3600.0
"""An ended job that nobody asks for is forgotten."""


@dataclass(slots=True)
class Known:
    """A job, and what it comes to."""

    job: Job
    seen: Observation
    put_at: float = float("-inf")  # when it was made here
    asked_at: float = 0.0
    described_at: float = field(default_factory=time.monotonic)


class Listing:
    """The jobs of one kind in one account and region that somebody has asked for."""

    def __init__(self, jobs: Jobs, changed: Callable[[str], None], bounds: Bounds) -> None:
        """`changed` is told the name of a job whose phase may have changed."""
        self._jobs = jobs
        self._changed = changed
        self._pace = Pace(bounds)
        self._known: dict[str, Known] = {}
        self._asking = threading.Lock()  # one thread asks, and the others have its answer
        self._since: datetime | None = None  # SageMaker's own time of the last list
        self._full_at = time.monotonic()
        self._answered_at = float("-inf")
        self._silence = ""
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Have the list read by a thread from now on."""
        if self._thread is None:
            name = f"sagemaker {self._jobs.account}"
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
                    self._ask([name for name in names if name not in self._known])
        if self._silence and self._is_any_live(names) and self._age > self._pace.bounds.stale:
            raise TemporaryError(self._silence)
        found = {name: known for name in names if (known := self._known.get(name)) is not None}
        for known in found.values():
            known.asked_at = time.monotonic()
        return {name: known.seen for name, known in found.items()}

    def _lacks(self, names: Sequence[str]) -> bool:
        """Whether SageMaker has to be asked: for a job that is not known, or because nobody follows them."""
        if any(name not in self._known for name in names):
            return True
        return self._thread is None and self._age > self._pace.bounds.fresh and self._is_any_live(names)

    def put(self, job: Job) -> None:
        """Know a job that was just made, and is in no list yet."""
        at = time.monotonic()
        self._known.setdefault(job.name, Known(job, states.observation(job), put_at=at, asked_at=at))
        self._answered_at = at
        self.hurry()

    def hurry(self) -> None:
        """Read the list soon: something was begun."""
        self._pace.hurry()
        self._wake.set()

    def drop(self, name: str) -> None:
        """Forget a job."""
        self._known.pop(name, None)

    def job(self, name: str) -> Job | None:
        """What was last said of a job that is known here."""
        known = self._known.get(name)
        return known.job if known else None

    # --- asking -------------------------------------------------------------------------------------------------------

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
            logger.exception("watch-fault place=%s", self._jobs.account)
            self._silence = f"{self._jobs.account} could not be asked: {error!r}"
            self._pace.failed()
            return ()

    def _ask(self, unknown: Sequence[str]) -> Sequence[str]:
        if self._pace.is_pausing:
            raise TemporaryError(self._silence)
        try:
            news = self._find(unknown) if unknown else self._list()
        except (TemporaryError, ConfigError, Refused) as error:
            self._silence = str(error)
            self._pace.failed(error.hint_seconds if isinstance(error, Throttled) else 0.0)
            raise TemporaryError(self._silence) from error
        self._silence = ""
        self._answered_at = time.monotonic()
        self._pace.answered(with_news=bool(news or unknown))
        return news

    def _find(self, unknown: Sequence[str]) -> list[str]:
        """Look for jobs of which nothing is known."""
        left = dict.fromkeys(unknown)
        if len(left) > FEW:
            for job in self._all_that_run():
                if job.name in left:
                    del left[job.name]
                    self._known[job.name] = Known(job, states.observation(job))
        for name in left:
            self._describe(name)
        return []

    def _list(self) -> list[str]:
        """Read what has changed; the names of the jobs that have."""
        self._forget()
        live = {name: known for name, known in list(self._known.items()) if not known.job.has_ended}
        if not live:
            return []
        if self._since is None or time.monotonic() - self._full_at > FULL_SECONDS:
            return self._list_all(live)
        news = self._take(self._list_since(self._since - OVERLAP))
        return news + [name for name in self._not_begun(live.values()) if self._describe(name)]

    def _list_all(self, live: Iterable[str]) -> list[str]:
        running = list(self._all_that_run())
        news = self._take(running)
        here = {job.name for job in running}
        for name in live:
            if name not in here and self._describe(name):
                news.append(name)
        self._full_at = time.monotonic()
        return news

    def _not_begun(self, live: Iterable[Known]) -> list[str]:
        """Processing jobs whose beginning no list tells of: a few at a time, and each now and then."""
        until = time.monotonic() - NOT_BEGUN_SECONDS
        waiting = [one for one in live if not (one.job.secondary or one.job.started) and one.described_at < until]
        return [one.job.name for one in sorted(waiting, key=lambda one: one.described_at)[:FEW]]

    def _all_that_run(self) -> list[Job]:
        return self._read_pages(StatusEquals="InProgress", NameContains=NAMES)

    def _list_since(self, moment: datetime) -> list[Job]:
        return self._read_pages(LastModifiedTimeAfter=moment, NameContains=NAMES)

    def _read_pages(self, **filters: object) -> list[Job]:
        found: list[Job] = []
        at: datetime | None = None
        for page in self._jobs.pages(**filters):
            at = at or server_time(page)
            found += self._jobs.summaries(page)
        self._since = at
        return found

    def _take(self, listed: Iterable[Job]) -> list[str]:
        """Take over what a list says of the jobs that are known here."""
        news = []
        for job in listed:
            known = self._known.get(job.name)
            if known is None or known.job.has_ended or not job.is_newer_than(known.job):
                continue
            if not self._is_settled(job):
                # The list will tell of it once more.
                self._pace.hurry()
                continue
            has_changed = (job.status, job.secondary, job.modified) != (
                *(known.job.status, known.job.secondary),
                known.job.modified,
            )
            if has_changed and self._describe_or_take(known, job):
                news.append(job.name)
        return news

    def _describe_or_take(self, known: Known, job: Job) -> bool:
        """Whether what is told of a job is something else than before."""
        if job.has_ended or job.secondary in {"", "Pending", "Interrupted"}:
            return self._describe(job.name)
        before, known.job = known.seen, replace(job, started=known.job.started)
        known.seen = states.observation(known.job)
        return known.seen != before

    def _is_settled(self, job: Job) -> bool:
        if not job.has_ended or job.modified is None or self._since is None:
            return True
        return (self._since - job.modified).total_seconds() >= self._pace.bounds.settled

    def _describe(self, name: str) -> bool:
        """Ask for one job alone. Whether what is told of it is something else than before."""
        known = self._known.get(name)
        job = self._jobs.find(name)
        if job is None:
            if known is not None and self._is_young(known):
                return False
            return self._known.pop(name, None) is not None
        tags = self._jobs.tags(job) if job.has_ended else {}
        if job.has_ended and is_released(tags):
            return self._known.pop(name, None) is not None
        seen = states.observation(job, is_wanted=CANCELLED in tags)
        if known is None:
            self._known[name] = Known(job, seen)
            return True
        before, known.job, known.seen = known.seen, job, seen
        known.described_at = time.monotonic()
        return known.seen != before

    # --- what is kept -------------------------------------------------------------------------------------------------

    @property
    def _age(self) -> float:
        return time.monotonic() - self._answered_at

    def _is_any_live(self, names: Iterable[str]) -> bool:
        return any((known := self._known.get(name)) is not None and not known.job.has_ended for name in names)

    def _is_young(self, known: Known) -> bool:
        return time.monotonic() - known.put_at < VISIBLE_SECONDS

    def _forget(self) -> None:
        until = time.monotonic() - FORGET_SECONDS
        for name, known in list(self._known.items()):
            if known.job.has_ended and known.asked_at < until:
                self.drop(name)
