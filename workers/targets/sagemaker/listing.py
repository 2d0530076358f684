"""What is known of the jobs at one place, for all who want to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from broker_config.platforms import Hint
from workers.targets.neighbours import Limits, Neighbours
from workers.targets.pace import Bounds
from workers.targets.polling import Poll
from workers.targets.protocol import Observation
from workers.targets.sagemaker.jobs import Job, Jobs
from workers.targets.sagemaker.knowledge import Knowledge


class Listing:
    """The jobs of one kind in one account and region."""

    def __init__(
        self, jobs: Jobs, changed: Callable[[str], None], bounds: Bounds, limits: Limits | None = None
    ) -> None:
        """`changed` is told the name of a job whose phase may have changed."""
        self._knowledge = Knowledge(jobs, bounds.settled)
        self._neighbours = Neighbours(limits, jobs.shared_name, self)
        self.poll = Poll(str(jobs.account), self._look, changed, bounds, self._neighbours)

    @property
    def is_idle(self) -> bool:
        return self._knowledge.is_idle

    def heeds(self, hint: Hint) -> bool:
        job = self._knowledge.job(hint.job)
        return job is not None and not job.has_ended and job.last_word != hint.state

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        """Where the jobs are. Those that are gone, or were released, are not in the answer.

        Raises:
            TemporaryError: when SageMaker does not say, and what it said last is too old.
        """

        def lacks() -> bool:
            return bool(self._knowledge.unknown(names)) or (self.poll.is_old and self._knowledge.has_live(names))

        def find() -> Sequence[str]:
            unknown = self._knowledge.unknown(names)
            if not unknown:
                return self._look()
            self._knowledge.find(unknown)
            return unknown

        if lacks():
            self.poll.ask(lacks, find)
        if self._knowledge.has_live(names):
            self.poll.expect_answer()
        return self._knowledge.seen(names)

    def put(self, job: Job) -> None:
        """Know a job that was just made, and is in no list yet."""
        self._knowledge.put(job)
        self.poll.heard()
        self.poll.hurry()

    def drop(self, name: str) -> None:
        """Forget a job."""
        self._knowledge.drop(name)

    def job(self, name: str) -> Job | None:
        """What was last said of a job that is known here."""
        return self._knowledge.job(name)

    def _look(self) -> Sequence[str]:
        news = self._knowledge.update()
        if self._knowledge.is_due:
            self.poll.insist()
        self._neighbours.tell(self._knowledge.others)
        return news
