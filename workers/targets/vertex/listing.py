"""What is known of the jobs at one place: one list a period tells of all of them, however many they are.

Vertex AI cannot list what has changed since some moment, but it can leave out what runs. So the list has those that
wait and those that have ended: a job that has left it runs, one that comes back into it has ended, and a release
deletes it. A thousand jobs that run make a list without an entry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from google.cloud.aiplatform_v1.types import JobState

from broker_config.errors import TemporaryError
from broker_config.platforms import Hint
from workers.failures import RunFailed
from workers.targets.neighbours import Limits, Neighbours
from workers.targets.pace import Bounds
from workers.targets.polling import Poll
from workers.targets.protocol import Observation, Phase
from workers.targets.vertex import states
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.jobs import OURS, Job, Jobs
from workers.targets.vertex.marks import Mark, Marks

NOT_RUNNING = f'{OURS} AND state!="JOB_STATE_RUNNING"'

FEW = 4
"""Up to so many jobs are asked for one by one; more are looked for in a list."""

VISIBLE_SECONDS = 60.0
"""So long after it was made a job may not be found, and be there all the same."""

FULL_SECONDS = 600.0
"""Between two lists of all jobs, to notice those that somebody has deleted while they ran."""

FORGET_SECONDS = 3600.0
"""An ended job that nobody asks for is forgotten."""

DEFAULT_LIMIT = timedelta(days=7)
"""How long a job runs at most that has no timeout (`Scheduling.timeout`)."""

_RUNNING = int(JobState.JOB_STATE_RUNNING)
"""What a job is that has left the list; or it was deleted, and nobody asks for it any more."""

_EVER = datetime(2020, 1, 1, tzinfo=UTC)
"""Before it there was no Vertex AI."""


@dataclass(slots=True)
class Known:
    """A job, and what it comes to."""

    job: Job
    seen: Observation
    put_at: float = float("-inf")  # when it was made here
    asked_at: float = field(default_factory=time.monotonic)
    ended_at: float = 0.0  # when its end was heard of; 0: not yet

    @property
    def is_young(self) -> bool:
        return time.monotonic() - self.put_at < VISIBLE_SECONDS


class Listing:
    """The jobs of one project and location that somebody has asked for, by their runs' names."""

    def __init__(
        self,
        jobs: Jobs,
        marks: Marks,
        changed: Callable[[str], None],
        bounds: Bounds,
        limits: Limits | None = None,
    ) -> None:
        """`changed` is told the name of a run whose job's phase may have changed."""
        self._jobs = jobs
        self._marks = marks
        self._known: dict[str, Known] = {}
        self._full_at = time.monotonic()
        self._untold: list[str] = []  # runs of which there is something new
        self._listed: dict[str, Job] | None = None  # by the last list of what does not run
        self._neighbours = Neighbours(limits, jobs.shared_name, self)
        self.poll = Poll(f"Vertex AI, {jobs.parent}", self._look, changed, bounds, self._neighbours)

    @property
    def is_idle(self) -> bool:
        return not self._is_any_live(self._known.copy())

    def heeds(self, hint: Hint) -> bool:
        # Other agents name the run; messages of the service name the job.
        known = self._known.get(hint.job) or self._of_id(hint.job)
        return known is not None and not known.seen.phase.is_end and known.job.last_word != hint.state

    def _of_id(self, job: str) -> Known | None:
        return next((known for known in self._known.copy().values() if known.job.id == job), None)

    def observe(self, runs: Sequence[str]) -> Mapping[str, Observation]:
        """Where the jobs of these runs are. Those that are gone are not in the answer.

        Raises:
            TemporaryError: when Vertex AI does not say, and what it said last is too old.
        """

        def lacks() -> bool:
            return any(run not in self._known for run in runs) or (self.poll.is_old and self._is_any_live(runs))

        def find() -> Sequence[str]:
            unknown = [run for run in runs if run not in self._known]
            return self._find(unknown) if unknown else self._look()

        if lacks():
            self.poll.ask(lacks, find)
        if self._is_any_live(runs):
            self.poll.expect_answer()
        found = {run: known for run in runs if (known := self._known.get(run)) is not None}
        for known in found.values():
            known.asked_at = time.monotonic()
        return {run: known.seen for run, known in found.items()}

    def put(self, job: Job) -> None:
        """Know a job that was just made, and is in no list yet."""
        self._known[job.run] = Known(job, states.observation(job), put_at=time.monotonic())
        self.poll.heard()
        self.poll.hurry()

    def drop(self, run: str) -> None:
        """Forget a job."""
        self._known.pop(run, None)

    def job(self, run: str) -> Job | None:
        """What was last said of a job that is known here."""
        known = self._known.get(run)
        return known.job if known else None

    # --- asking -------------------------------------------------------------------------------------------------------

    def _find(self, unknown: Sequence[str]) -> Sequence[str]:
        """Look for the jobs of runs of which nothing is known; the oldest of several is the run's."""
        few = len(unknown) <= FEW
        listed = [job for run in unknown for job in self._jobs.of_run(run)] if few else self._jobs.listed(OURS)
        wanted = set(unknown)
        found: dict[str, Job] = {}
        for job in sorted(listed, key=lambda one: one.age):
            if job.run in wanted:
                found.setdefault(job.run, job)
        for run, job in found.items():
            self._known[run] = Known(job, self._told(job))
        return list(found)

    def _look(self) -> Sequence[str]:
        """Read what waits and what has ended; the names of the runs of which there is something new."""
        self._forget()
        if self.is_idle:
            return []
        is_full = time.monotonic() - self._full_at > FULL_SECONDS
        listed = {job.id: job for job in self._jobs.listed(OURS if is_full else NOT_RUNNING)}
        for job in listed.values():
            self._keep_oldest(job)
        live = {known.job.id: known for known in list(self._known.values()) if not known.seen.phase.is_end}
        missing = [known for id_, known in live.items() if id_ not in listed and (is_full or not known.job.is_running)]
        there = [(known, listed[id_]) for id_, known in live.items() if id_ in listed]
        self._take_all([*there, *self._look_at(missing)])
        if is_full:
            self._full_at = time.monotonic()
        else:
            self._hint(listed)
        news, self._untold = self._untold, []
        return news

    def _hint(self, listed: dict[str, Job]) -> None:
        """Tell other agents of their jobs: of those that are in another state than before, or have left the list."""
        before, self._listed = self._listed, listed
        if before is None:
            return
        changed = [job for id_, job in listed.items() if id_ not in before or before[id_].state != job.state]
        runs = [replace(job, state=_RUNNING) for id_, job in before.items() if id_ not in listed]
        self._neighbours.tell([Hint(job.run, job.last_word) for job in (*changed, *runs) if job.run not in self._known])

    def _take_all(self, heard: Iterable[tuple[Known, Job | None]]) -> None:
        """Take over what was heard of each job; one of which more is to be known holds up no other."""
        fault: Exception | None = None
        for known, job in heard:
            try:
                if self._take_or_drop(known, job):
                    self._untold.append(known.job.run)
            except (TemporaryError, RunFailed) as error:
                fault = error
        if fault is not None:
            raise fault

    def _keep_oldest(self, job: Job) -> None:
        """Have one job for a run, where a second one was made because the first was in no list yet."""
        known = self._known.get(job.run)
        if known is None or job.id == known.job.id or job.has_ended or job.digest != known.job.digest:
            return
        younger = max(job, known.job, key=lambda one: one.age)
        if younger is known.job:
            known.job, known.seen = job, self._told(job)
        self._jobs.cancel(younger)

    def _look_at(self, missing: Sequence[Known]) -> list[tuple[Known, Job | None]]:
        """Jobs that are not where they were, as they are now; None for those that are gone."""
        if len(missing) > FEW:
            since = min(known.job.created or _EVER for known in missing)
            newer = f'{OURS} AND create_time>="{since:%Y-%m-%dT%H:%M:%SZ}"'
            found = {job.id: job for job in self._jobs.listed(newer)}
        else:
            said = [self._jobs.find(known.job) for known in missing]
            found = {job.id: job for one in said if one is not None for job in [Job.read(one)]}
        return [(known, found.get(known.job.id)) for known in missing]

    def _take_or_drop(self, known: Known, job: Job | None) -> bool:
        if job is not None:
            return self._take(known, job)
        return not known.is_young and self._known.pop(known.job.run, None) is not None

    def _take(self, known: Known, job: Job) -> bool:
        """Whether what is told of a job is something else than before."""
        if job.has_ended:
            known.ended_at = known.ended_at or time.monotonic()
            if time.monotonic() - known.ended_at < self.poll.bounds.settled:
                # Its last lines are on their way.
                self.poll.insist()
                return False
        before, known.job, known.seen = known.seen, job, self._told(job)
        return known.seen != before

    def _told(self, job: Job) -> Observation:
        seen = states.observation(job)
        if not seen.phase.is_end or seen.phase is Phase.SUCCEEDED:
            return seen
        is_wanted = self._marks.has(Handle(job.run), Mark.CANCELLED)
        said = None if is_wanted else self._jobs.find(job)
        limit = (said.job_spec.scheduling.timeout if said is not None else None) or DEFAULT_LIMIT
        return states.observation(job, states.Circumstances(is_wanted, limit))

    # --- what is kept -------------------------------------------------------------------------------------------------

    def _is_any_live(self, runs: Iterable[str]) -> bool:
        return any((known := self._known.get(run)) is not None and not known.seen.phase.is_end for run in runs)

    def _forget(self) -> None:
        until = time.monotonic() - FORGET_SECONDS
        for run, known in list(self._known.items()):
            if known.seen.phase.is_end and known.asked_at < until:
                self.drop(run)
