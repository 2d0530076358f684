"""What is known of the jobs: one squeue a period tells of all of them, and one sacct of those that have left it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from launchyard_slurm import commands, states
from launchyard_slurm.commands import Job
from launchyard_slurm.folder import RunFolder
from workers.targets.pace import Bounds
from workers.targets.polling import Poll
from workers.targets.protocol import Observation, Unanswered

VISIBLE_SECONDS = 60.0
"""So long after it was submitted a job may be in no list yet."""


class Listing:
    """The runs that somebody has asked for and that have not ended."""

    def __init__(self, folder: Callable[[str], RunFolder], changed: Callable[[str], None], bounds: Bounds) -> None:
        """`changed` is told the name of a run whose job's phase may have changed."""
        self._folder = folder
        self._live: dict[str, Observation | None] = {}  # None: not heard of yet
        self._elsewhere: dict[str, str] = {}  # runs of which only an agent with another home knows more, and why
        self._ended_at: dict[str, float] = {}  # when Slurm said first that a job has ended
        self.poll = Poll("Slurm", self._look, changed, bounds)

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        """Where the jobs of these runs are, of which none has been seen to end.

        Raises:
            TemporaryError: when Slurm does not say, and what it said last is too old.
        """
        if not names:
            return {}

        def lacks() -> bool:
            return self.poll.is_old or any(self._live.get(name) is None for name in names)

        def find() -> Sequence[str]:
            for name in names:
                self._live.setdefault(name, None)
            return self._look()

        if lacks():
            self.poll.ask(lacks, find)
        self.poll.expect_answer()
        told = {name: self._folder(name).end() or self._live.get(name) for name in names}
        seen = {name: observation for name, observation in told.items() if observation is not None}
        if silent := {name: why for name in names if (why := self._elsewhere.get(name))}:
            raise Unanswered(seen, silent)
        return seen

    def put(self, name: str) -> None:
        """Know a run whose job was just submitted, and is in no list yet."""
        self._live[name] = states.SUBMITTED
        self.poll.heard()
        self.poll.hurry()

    def _look(self) -> Sequence[str]:
        """Ask Slurm for all jobs; the names of runs of which there is something new."""
        listed: dict[str, Job] = {}
        by_name: dict[str, list[Job]] = {}
        for job in commands.queue():
            listed[job.id] = job
            by_name.setdefault(job.name, []).append(job)
        names = list(self._live)
        jobs = {name: self._job_of(name, by_name.get(name, ())) for name in names}
        lost = [id_ for name, id_ in jobs.items() if id_ and id_ not in listed and not self._is_on_its_way(name)]
        if lost:
            listed |= {job.id: job for job in commands.accounted(lost)}
        return [name for name, id_ in jobs.items() if self._take(name, id_, listed.get(id_))]

    def _job_of(self, name: str, named: Sequence[Job]) -> str:
        """The id of a run's job; by its name where the agent that submitted it did not live to say so."""
        folder = self._folder(name)
        live = [job.id for job in named if job.state not in states.ENDS]
        self._elsewhere.pop(name, None)
        if live and not folder.path.exists():
            self._elsewhere[name] = (
                f"Slurm has job {live[0]} of {name}, whose folder {folder.path} is not here; agents of a slurm queue "
                "share their home folder, on the file system of the nodes"
            )
        if not folder.is_there:
            return ""
        return folder.job or (folder.claim(min(live, key=int)) if live else "")

    def _is_on_its_way(self, name: str) -> bool:
        folder = self._folder(name)
        return folder.exit is None and folder.job_age_seconds < VISIBLE_SECONDS

    def _take(self, name: str, id_: str, job: Job | None) -> bool:
        """Whether what is told of a run is something else than before."""
        before = self._live.get(name)
        seen = self._told(name, id_, job)
        if seen is None or seen.phase.is_end:
            if seen is not None:
                self._folder(name).record_end(seen)
            self._live.pop(name, None)
            self._ended_at.pop(name, None)
        else:
            self._live[name] = seen
        return seen != before

    def _told(self, name: str, id_: str, job: Job | None) -> Observation | None:
        """What is to be told of a run now; None when it has no job."""
        if not id_:
            return None
        folder = self._folder(name)
        ended = folder.exit
        if job is None:
            if self._is_on_its_way(name):
                return states.SUBMITTED
            return states.of_program(ended) if ended else states.LOST
        if ended is None and job.state in states.PROGRAM_ENDED and not self._has_settled(name):
            # What its program wrote is on its way from the node.
            self.poll.hurry()
            return states.STATES["COMPLETING"]
        return states.observation(job, ended, is_cancelled=folder.is_cancelled)

    def _has_settled(self, name: str) -> bool:
        ended_at = self._ended_at.setdefault(name, time.monotonic())
        return time.monotonic() - ended_at >= self.poll.bounds.settled
