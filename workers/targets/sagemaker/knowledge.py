"""What is known of the jobs at one place, and how it is brought up to date at the cost of one caller.

A list gives what has changed since the one before. A job is described by itself only when it has ended, or when no list
has told of it: its reason and its tags are in no list. What lists may leave out, a full one finds now and then.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from broker_config.platforms import Hint
from workers.targets.protocol import Observation
from workers.targets.sagemaker import states
from workers.targets.sagemaker.account import server_time
from workers.targets.sagemaker.jobs import Job, Jobs
from workers.targets.sagemaker.marks import CANCELLED, is_released

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
"""An ended job that nobody asks for is forgotten: its run was another agent's by then."""


@dataclass(slots=True)
class Known:
    """A job, and what it comes to."""

    job: Job
    seen: Observation
    put_at: float = float("-inf")  # when it was made here
    asked_at: float = field(default_factory=time.monotonic)
    described_at: float = field(default_factory=time.monotonic)


class Listed(NamedTuple):
    """What a list said."""

    at: datetime  # by SageMaker's own clock
    jobs: Sequence[Job]


class Knowledge:
    """The jobs of one kind in one account and region that somebody has asked for.

    One thread at a time may `find` and `update`. Whatever SageMaker says to that is raised as `Account.call` does.
    """

    def __init__(self, jobs: Jobs, settled_seconds: float) -> None:
        """`settled_seconds`: how long after its end a job's last lines have arrived; it is not told of before."""
        self._jobs = jobs
        self._settled_seconds = settled_seconds
        self._known: dict[str, Known] = {}
        self._since: datetime | None = None  # SageMaker's own time of the last list
        self._full_at = time.monotonic()
        self.is_due = False
        """Whether the last list had an end that is not told yet."""
        self.others: Sequence[Hint] = ()
        """What the last list told of jobs that nobody here asks for, and the one before did not."""
        self._foreign: dict[str, str] = {}

    def seen(self, names: Sequence[str]) -> Mapping[str, Observation]:
        """Where the jobs are, of those that are known."""
        found = {name: known for name in names if (known := self._known.get(name)) is not None}
        for known in found.values():
            known.asked_at = time.monotonic()
        return {name: known.seen for name, known in found.items()}

    @property
    def is_idle(self) -> bool:
        """Whether no job lives that is known."""
        return all(known.job.has_ended for known in list(self._known.values()))

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Those of which nothing is known."""
        return [name for name in names if name not in self._known]

    def has_live(self, names: Iterable[str]) -> bool:
        """Whether one of them is known and has not ended."""
        return any((known := self._known.get(name)) is not None and not known.job.has_ended for name in names)

    def job(self, name: str) -> Job | None:
        """What was last said of a job that is known."""
        known = self._known.get(name)
        return known.job if known else None

    def put(self, job: Job) -> None:
        """Know a job that was just made, and is in no list yet."""
        self._known.setdefault(job.name, Known(job, states.observation(job), put_at=time.monotonic()))

    def drop(self, name: str) -> None:
        """Forget a job."""
        self._known.pop(name, None)

    def find(self, unknown: Sequence[str]) -> None:
        """Look for jobs of which nothing is known."""
        left = dict.fromkeys(unknown)
        if len(left) > FEW:
            for job in self._listed(StatusEquals="InProgress").jobs:
                if job.name in left:
                    del left[job.name]
                    self._known[job.name] = Known(job, states.observation(job))
        for name in left:
            self._describe(name)

    def update(self) -> list[str]:
        """Read what has changed; the names of the jobs that have. Asks nobody while none lives."""
        self._forget()
        self.is_due, self.others = False, ()
        live = {name: known for name, known in list(self._known.items()) if not known.job.has_ended}
        if not live:
            return []
        since = self._since
        is_full = since is None or time.monotonic() - self._full_at > FULL_SECONDS
        if since is None or is_full:
            listed = self._listed(StatusEquals="InProgress")
            running = {job.name for job in listed.jobs}
            doubtful = [name for name in live if name not in running]
            self._full_at = time.monotonic()
        else:
            listed = self._listed(LastModifiedTimeAfter=since - OVERLAP)
            doubtful = self._not_begun(live.values())
            self._hint(listed.jobs)
        news = [job.name for job in listed.jobs if self._take(job, listed.at)]
        news += [name for name in doubtful if self._describe(name, listed.at)]
        # Only now: what was listed and could not be described is in the next list again. So is what a full list does
        # not tell of, because it has ended, and others rely on hearing.
        self._since = since if since and is_full else listed.at
        return news

    def _hint(self, listed: Iterable[Job]) -> None:
        foreign = {job.name: job.last_word for job in listed if job.name not in self._known}
        self.others = [Hint(*one) for one in foreign.items() if one not in self._foreign.items()]
        self._foreign = foreign

    def _not_begun(self, live: Iterable[Known]) -> list[str]:
        """Processing jobs whose beginning no list tells of: a few at a time, and each now and then."""
        until = time.monotonic() - NOT_BEGUN_SECONDS
        waiting = [one for one in live if not (one.job.secondary or one.job.started) and one.described_at < until]
        return [one.job.name for one in sorted(waiting, key=lambda one: one.described_at)[:FEW]]

    def _listed(self, **filters: object) -> Listed:
        found: list[Job] = []
        at: datetime | None = None
        for page in self._jobs.pages(NameContains=NAMES, **filters):
            at = at or server_time(page)
            found += self._jobs.summaries(page)
        assert at is not None, "a list has a first page"
        return Listed(at, found)

    def _take(self, job: Job, at: datetime) -> bool:
        """Take over what a list says of a job. Whether what is told of it is something else than before."""
        known = self._known.get(job.name)
        if known is None or known.job.has_ended or not job.is_newer_than(known.job):
            return False
        if (job.status, job.secondary, job.modified) == (known.job.status, known.job.secondary, known.job.modified):
            return False
        if self._has_just_ended(job, at):
            return False
        if job.has_ended or job.secondary in {"", "Pending", "Interrupted"}:
            return self._describe(job.name, at)
        before, known.job = known.seen, replace(job, started=known.job.started)
        known.seen = states.observation(known.job)
        return known.seen != before

    def _describe(self, name: str, at: datetime | None = None) -> bool:
        """Ask for one job alone. Whether what is told of it is something else than before.

        `at` is the time of the list that led to it: an end that came not long before is told later.
        """
        known, job = self._known.get(name), self._jobs.find(name)
        if job is None:
            # It may be too young to be found.
            is_gone = known is None or time.monotonic() - known.put_at > VISIBLE_SECONDS
            return is_gone and self._known.pop(name, None) is not None
        if at is not None and self._has_just_ended(job, at):
            return False
        tags = self._jobs.tags(job) if job.has_ended else {}
        if job.has_ended and is_released(tags):
            return self._known.pop(name, None) is not None
        seen = states.observation(job, is_wanted=CANCELLED in tags)
        self._known[name] = Known(job, seen, known.put_at, known.asked_at) if known else Known(job, seen)
        return known is None or known.seen != seen

    def _has_just_ended(self, job: Job, at: datetime) -> bool:
        """Whether its last lines may not have arrived yet; the next list tells of it once more."""
        if not job.has_ended or job.modified is None or (at - job.modified).total_seconds() >= self._settled_seconds:
            return False
        self.is_due = True
        return True

    def _forget(self) -> None:
        until = time.monotonic() - FORGET_SECONDS
        for name, known in list(self._known.items()):
            if known.job.has_ended and known.asked_at < until:
                self.drop(name)
