"""The life of the jobs of the fake Vertex AI: each runs as processes of this machine, in place of containers.

States and the words of errors are those of the service ("Understand the custom training service", and what users have
seen). A name has the number of the project, however the project was written.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.cloud.aiplatform_v1.types import CustomJob, JobState
from google.rpc.code_pb2 import Code

from tests.clouds import machine

NUMBER = "123456789012"
"""Of every project."""

STILL = "still"
"""An image of which nothing runs: a test says how far its job is."""

ENDS = {
    *(JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED),
    *(JobState.JOB_STATE_EXPIRED, JobState.JOB_STATE_PARTIALLY_SUCCEEDED),
}
_CONDITION = re.compile(r'\s*(state|create_time|labels\.[\w-]+)\s*(!=|>=|=)\s*"([^"]*)"\s*')

PutLines = Callable[[str, str, list[str]], None]
"""Writes lines of a job's replica to the log."""


class Wrong(Exception):
    """What the service answers in place of a result: a name of `grpc.StatusCode`."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class FakeJob:
    """One job."""

    said: CustomJob
    made: float = field(default_factory=time.time)
    wants_end: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        return str(self.said.name.rpartition("/")[2])

    @property
    def has_ended(self) -> bool:
        return self.said.state in ENDS

    def move(self, state: JobState, *, code: int = 0, error: str = "") -> None:
        """Go on to another state."""
        at = datetime.now(UTC)
        self.said.state = state
        self.said.update_time = at
        if state is JobState.JOB_STATE_RUNNING:
            self.said.start_time = at
        if state in ENDS:
            self.said.end_time = at
        if error:
            self.said.error = {"code": code, "message": error}


class FakeJobs:
    """All jobs of one project and location."""

    def __init__(self, put_lines: PutLines, variables: Mapping[str, str]) -> None:
        """`variables` are those by which a job finds Google Cloud, as its service account."""
        self._variables = {**machine.VARIABLES, **variables}
        self._put_lines = put_lines
        self.lock = threading.RLock()
        self.jobs: dict[str, FakeJob] = {}  # by id
        self.stop_seconds = 1.0  # between SIGTERM and SIGKILL
        self.hidden_seconds = 0.0  # after its creation a job is not listed

    def create(self, parent: str, told: CustomJob) -> CustomJob:
        """Begin a job."""
        if not told.display_name or not told.job_spec.worker_pool_specs:
            raise Wrong("INVALID_ARGUMENT", "display_name and worker_pool_specs must be set")
        with self.lock:
            said = CustomJob(told)
            location = parent.rpartition("/")[2]
            said.name = f"projects/{NUMBER}/locations/{location}/customJobs/{time.time_ns()}"
            said.create_time = datetime.now(UTC)
            job = FakeJob(said)
            job.move(JobState.JOB_STATE_QUEUED)
            self.jobs[job.id] = job
            answer = CustomJob(said)
        if told.job_spec.worker_pool_specs[0].container_spec.image_uri != STILL:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return answer

    def find(self, name: str) -> FakeJob:
        """A job by its name."""
        job = self.jobs.get(name.rpartition("/")[2])
        if job is None:
            raise Wrong("NOT_FOUND", f"The CustomJob {name} does not exist.")
        return job

    def listed(self, filter_: str) -> list[FakeJob]:
        """The jobs that a filter finds, the newest first."""
        conditions = [_condition(text) for text in filter_.split(" AND ")] if filter_ else []
        with self.lock:
            seen = [job for job in self.jobs.values() if time.time() - job.made >= self.hidden_seconds]
            return [job for job in reversed(seen) if all(_holds(job.said, *one) for one in conditions)]

    def cancel(self, job: FakeJob) -> None:
        """Have a job ended."""
        with self.lock:
            if job.has_ended:
                raise Wrong("FAILED_PRECONDITION", f"The CustomJob is in state {job.said.state.name}.")
            if job.said.state is not JobState.JOB_STATE_CANCELLING:
                job.move(JobState.JOB_STATE_CANCELLING)
                job.wants_end.set()

    def delete(self, job: FakeJob) -> None:
        """Remove a job."""
        with self.lock:
            if not job.has_ended:
                raise Wrong("FAILED_PRECONDITION", f"The CustomJob is in state {job.said.state.name}.")
            del self.jobs[job.id]

    def close(self) -> None:
        """End what runs."""
        for job in list(self.jobs.values()):
            job.wants_end.set()

    def _run(self, job: FakeJob) -> None:
        self._move(job, JobState.JOB_STATE_PENDING)
        processes = [
            (f"workerpool{place}-{replica}", self._start(pool.container_spec))
            for place, pool in enumerate(job.said.job_spec.worker_pool_specs)
            for replica in range(pool.replica_count)
        ]
        self._move(job, JobState.JOB_STATE_RUNNING)
        readers = [
            threading.Thread(target=self._read, args=(job.id, name, process), daemon=True)
            for name, process in processes
        ]
        for reader in readers:
            reader.start()
        while any(process.poll() is None for _, process in processes):
            if job.wants_end.wait(0.02):
                for _, process in processes:
                    self._end(process)
        for reader in readers:
            reader.join()
        self._conclude(job, {name: process.returncode for name, process in processes})

    def _start(self, container: object) -> subprocess.Popen[bytes]:
        words = [*container.command, *container.args]  # type: ignore[attr-defined]
        variables = {one.name: one.value.replace("$$", "$") for one in container.env}  # type: ignore[attr-defined]
        return subprocess.Popen(
            words, env={**self._variables, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read(self, job: str, replica: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._put_lines(job, replica, [line.decode().rstrip("\n")])

    def _conclude(self, job: FakeJob, codes: Mapping[str, int]) -> None:
        failed = {name: code for name, code in codes.items() if code}
        with self.lock:
            if job.wants_end.is_set():
                job.move(JobState.JOB_STATE_CANCELLED)
            elif failed:
                name, code = next(iter(failed.items()))
                status = code if code > 0 else 128 - code
                error = (
                    f"The replica {name} exited with a non-zero status of {status}. To find out more about why your "
                    "job exited please check the logs: https://console.cloud.google.com/logs/viewer"
                )
                job.move(JobState.JOB_STATE_FAILED, code=Code.INVALID_ARGUMENT, error=error)
            else:
                job.move(JobState.JOB_STATE_SUCCEEDED)

    def _move(self, job: FakeJob, state: JobState) -> None:
        with self.lock:
            if not job.wants_end.is_set():
                job.move(state)


def _condition(text: str) -> tuple[str, str, str]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise Wrong("INVALID_ARGUMENT", f"Invalid filter: {text}")
    return found[1], found[2], found[3]


def _holds(said: CustomJob, name: str, sign: str, value: str) -> bool:
    if name == "create_time":
        return bool(said.create_time >= datetime.fromisoformat(value))
    is_equal = (said.state.name if name == "state" else said.labels.get(name.removeprefix("labels."))) == value
    return is_equal is (sign == "=")
