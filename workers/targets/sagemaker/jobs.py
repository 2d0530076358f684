"""What SageMaker says of one job: as much of it as is kept, and the calls that ask for it and change it.

Formats: `DescribeTrainingJob` and `DescribeProcessingJob`, and the summaries of the lists of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workers.targets.sagemaker.account import Account, Refused
from workers.targets.sagemaker.operations import Operation
from workers.targets.sagemaker.secrets import OWN

_ENDS = frozenset({"Completed", "Failed", "Stopped"})
_DELETING = "Deleting"

PAGE = 100
"""The most that a list gives at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training or processing job at one moment."""

    name: str
    arn: str = ""
    status: str = "InProgress"
    secondary: str = ""  # training jobs have one
    message: str = ""  # of the last transition
    why: str = ""  # the reason of a failure
    exit_message: str = ""  # what a processing job has left for its readers
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    modified: datetime | None = None
    limit_seconds: int = 0  # the longest that it may run
    has_secret: bool = False  # of the run's own in Secrets Manager
    was_interrupted: bool = False  # its spot instances were taken back at least once

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDS

    @property
    def last_word(self) -> str:
        """How far it is, as lists and events say it."""
        return self.secondary or self.status

    @property
    def is_stopping(self) -> bool:
        return self.status == "Stopping"

    def is_newer_than(self, other: Job) -> bool:
        """Whether it tells of a later moment. What was just made has no time of its own yet."""
        return other.modified is None or (self.modified is not None and self.modified >= other.modified)


def read(operation: Operation, said: Mapping[str, Any]) -> Job:
    """A job as a description or a summary has it; a summary leaves out much."""
    noun = operation.noun
    steps = said.get("SecondaryStatusTransitions") or []
    times = "Training" if noun == "TrainingJob" else "Processing"
    return Job(
        name=said[f"{noun}Name"],
        arn=said[f"{noun}Arn"],
        status=said[f"{noun}Status"],
        secondary=said.get("SecondaryStatus", ""),
        message=steps[-1].get("StatusMessage", "") if steps else "",
        why=said.get("FailureReason", ""),
        exit_message=said.get("ExitMessage", ""),
        created=said.get("CreationTime"),
        started=said.get(f"{times}StartTime"),
        ended=said.get(f"{times}EndTime"),
        modified=said.get("LastModifiedTime"),
        limit_seconds=(said.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", 0),
        has_secret=any(value.startswith(OWN) for value in (said.get("Environment") or {}).values()),
        was_interrupted=any(step.get("Status") == "Interrupted" for step in steps),
    )


class Jobs:
    """The jobs of one kind in one account and region. Every call here is one to SageMaker, or one a page."""

    def __init__(self, account: Account, operation: Operation) -> None:
        self.account = account
        self.operation = operation

    def shared_name(self) -> str:
        """What all agents call the place of these jobs, with whatever credentials. Raises as `Account.call` does."""
        partition, number = self.account.identity()
        return place_name(partition, number, self.account.region, self.operation.kind)

    def find(self, name: str) -> Job | None:
        """A job as it is now; None when there is none of that name."""
        try:
            said = self._call("Describe", **{self.operation.job_name: name})
        except Refused as error:
            if error.is_not_found:
                return None
            raise
        job = read(self.operation, said)
        return None if job.status == _DELETING else job

    def pages(self, **filters: Any) -> Iterator[Mapping[str, Any]]:
        """The answers of a list, page by page; `summaries` reads one."""
        yield from paged(self.account, "sagemaker", f"List{self.operation.noun}s", MaxResults=PAGE, **filters)

    def summaries(self, page: Mapping[str, Any]) -> list[Job]:
        """The jobs on one page of a list."""
        return [read(self.operation, one) for one in page[f"{self.operation.noun}Summaries"]]

    def create(self, told: Mapping[str, Any]) -> str:
        """Make a job; returns its ARN."""
        answer = self.account.call("sagemaker", self.operation.name, **told)
        return str(answer[f"{self.operation.noun}Arn"])

    def stop(self, name: str) -> None:
        """Have a job ended: SIGTERM now, and by force 120 seconds later. One that has ended stays as it is."""
        try:
            self._call("Stop", **{self.operation.job_name: name})
        except Refused as error:
            if error.aws_code != "ValidationException" and not error.is_not_found:
                raise

    def tags(self, job: Job) -> dict[str, str]:
        """The tags of a job."""
        pages = paged(self.account, "sagemaker", "ListTags", ResourceArn=job.arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def tag(self, job: Job, name: str, value: str) -> None:
        """Give a job a tag, or another value for one that it has."""
        self.account.call("sagemaker", "AddTags", ResourceArn=job.arn, Tags=[{"Key": name, "Value": value}])

    def _call(self, verb: str, **given: Any) -> Mapping[str, Any]:
        return self.account.call("sagemaker", f"{verb}{self.operation.noun}", **given)


def paged(account: Account, service: str, operation: str, token: str = "NextToken", **given: Any) -> Iterator[Any]:
    """The answers to an operation, one a page; `token` names what leads from one to the next."""
    while True:
        answer = account.call(service, operation, **given)
        yield answer
        if not answer.get(token):
            return
        given[token] = answer[token]


def place_name(partition: str, number: str, region: str, kind: str) -> str:
    """What all agents call the place of one kind of jobs in one region of the account of that number."""
    return f"sagemaker/{partition}/{number}/{region}/{kind}"
