"""What Vertex AI says of one job: as much of it as is kept, and the calls that ask for it and change it.

Formats: `CustomJob` and the filter of `ListCustomJobsRequest` in `google.cloud.aiplatform.v1`. A filter knows labels,
the state and the time of creation; it does not know when a job has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.cloud.aiplatform_v1.types import CustomJob, JobState
from google.protobuf import json_format

from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.vertex.account import Account, Refused
from workers.targets.vertex.labels import ATTEMPT, MANAGED, REQUEST, RUN_ID

PAGE = 100
"""Asked for at once: no more is documented to be given."""

ENDS = frozenset(
    {
        *(JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED),
        *(JobState.JOB_STATE_EXPIRED, JobState.JOB_STATE_PARTIALLY_SUCCEEDED),
    }
)
OURS = f'labels.{MANAGED}="true"'

_READ = {"paths": ["name", "state", "create_time", "start_time", "end_time", "error", "labels"]}


@dataclass(frozen=True, slots=True)
class Job:
    """One custom job at one moment."""

    name: str  # the service's own: projects/NUMBER/locations/LOCATION/customJobs/ID
    run: str  # that it is for, with its attempt
    state: int  # of `JobState`
    digest: str = ""  # of the request that it was made for
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    error_code: int = 0  # of `google.rpc.Code`
    error: str = ""

    @classmethod
    def read(cls, said: CustomJob) -> Job:
        labels = said.labels
        return cls(
            name=said.name,
            run=f"launchyard-{labels.get(RUN_ID, '')}-{labels.get(ATTEMPT, '')}",
            state=int(said.state),
            digest=labels.get(REQUEST, ""),
            created=said.create_time,
            started=said.start_time,
            ended=said.end_time,
            error_code=said.error.code,
            error=said.error.message,
        )

    @property
    def id(self) -> str:
        """The last part of its name; the others may be written in several ways."""
        return self.name.rpartition("/")[2]

    @property
    def has_ended(self) -> bool:
        return self.state in ENDS

    @property
    def last_word(self) -> str:
        """How far it is, as the service's lists and logs say it."""
        return str(JobState(self.state).name)

    @property
    def is_running(self) -> bool:
        return self.state == JobState.JOB_STATE_RUNNING

    @property
    def age(self) -> tuple[float, str]:
        """By which the oldest of several comes first, for everybody who asks."""
        return (self.created.timestamp() if self.created else 0.0, self.id)


class Jobs:
    """The custom jobs of one project and location. Every call here is one to Vertex AI, or one a page."""

    def __init__(self, account: Account, project: str) -> None:
        self.account = account
        self.parent = f"projects/{project}/locations/{account.location}"

    def find(self, job: Job) -> CustomJob | None:
        """All of a job as it is now; None when it is gone."""
        try:
            found: CustomJob = self.account.jobs("aiplatform.customJobs.get", "get_custom_job", {"name": job.name})
        except Refused as error:
            if error.is_not_found:
                return None
            raise
        return found

    def shared_name(self) -> str:
        """What all agents call the place of these jobs."""
        return f"vertex/{self.parent}"

    def of_run(self, run: str) -> list[Job]:
        """The jobs that were made for a run's attempt, the oldest first: more than one where two agents met."""
        run_id, _, attempt = run.removeprefix("launchyard-").rpartition("-")
        return sorted(
            self.listed(f'labels.{RUN_ID}="{run_id}" AND labels.{ATTEMPT}="{attempt}"'), key=lambda job: job.age
        )

    def listed(self, filter_: str) -> list[Job]:
        """The jobs that a filter finds."""
        found: list[Job] = []
        token = ""
        while True:
            request = {"parent": self.parent, "filter": filter_, "page_size": PAGE, "page_token": token}
            pager = self.account.jobs("aiplatform.customJobs.list", "list_custom_jobs", {**request, "read_mask": _READ})
            page = next(iter(pager.pages))
            found += [Job.read(one) for one in page.custom_jobs]
            token = page.next_page_token
            if not token:
                return found

    def create(self, told: Mapping[str, Any]) -> Job:
        """Make a job."""
        job = CustomJob()
        try:
            json_format.ParseDict(told, CustomJob.pb(job))
        except json_format.ParseError as error:
            text = f"queue config of resource vertex: {error}"
            raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text) from error
        request = {"parent": self.parent, "custom_job": job}
        return Job.read(self.account.jobs("aiplatform.customJobs.create", "create_custom_job", request))

    def cancel(self, job: Job) -> None:
        """Have a job ended. One that has ended, or is gone, stays as it is."""
        self._change("cancel", job, {"NOT_FOUND", "FAILED_PRECONDITION"})

    def delete(self, job: Job) -> None:
        """Remove a job that has ended. One that is gone stays so."""
        self._change("delete", job, {"NOT_FOUND"})

    def _change(self, verb: str, job: Job, is_harmless: set[str]) -> None:
        try:
            self.account.jobs(f"aiplatform.customJobs.{verb}", f"{verb}_custom_job", {"name": job.name})
        except Refused as error:
            if error.status not in is_harmless:
                raise
