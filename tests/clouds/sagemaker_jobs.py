"""The life of the jobs of the fake SageMaker: each runs as a process of this machine, in place of a container.

Statuses, messages and the words of errors are those of the service ("DescribeTrainingJob", and what users have seen).
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.clouds import machine

ACCOUNT = "123456789012"
STILL = "still"
"""An image of which nothing runs: a test says how far its job is."""

NOUNS = {"TrainingJob": "training-job", "ProcessingJob": "processing-job"}
_PROGRAMS = {"TrainingJob": "AlgorithmSpecification", "ProcessingJob": "AppSpecification"}
_GROUPS = {"TrainingJob": "/aws/sagemaker/TrainingJobs", "ProcessingJob": "/aws/sagemaker/ProcessingJobs"}
_ENDS = {"Completed", "Failed", "Stopped"}
_MODEL = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))

PutLines = Callable[[str, str, list[str]], None]
"""Writes lines to a stream of a log group."""


class Wrong(Exception):
    """What the service answers in place of a result."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class FakeJob:
    """One job."""

    noun: str
    told: Mapping[str, Any]
    arn: str
    tags: dict[str, str]
    made: float
    transitions: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)  # fields of the description
    wants_end: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.told[f"{self.noun}Name"])

    @property
    def secondary(self) -> str:
        return str(self.transitions[-1]["Status"])

    @property
    def status(self) -> str:
        if self.secondary in {"MaxRuntimeExceeded", "MaxWaitTimeExceeded"}:
            return "Stopped"
        return self.secondary if self.secondary in {*_ENDS, "Stopping", "Deleting"} else "InProgress"

    @property
    def modified(self) -> float:
        return float(self.transitions[-1]["StartTime"])

    def move(self, secondary: str, message: str = "", **more: Any) -> None:
        """Go on to another status, with other fields of its description."""
        at = time.time()
        times = "Training" if self.noun == "TrainingJob" else "Processing"
        if self.transitions:
            self.transitions[-1]["EndTime"] = at
        self.more |= more
        if secondary == "Training":
            self.more.setdefault(f"{times}StartTime", at)
        self.transitions.append({"Status": secondary, "StartTime": at, "StatusMessage": message})
        if self.status in _ENDS:
            self.more[f"{times}EndTime"] = at

    def age(self, seconds: float) -> None:
        """Have everything that happened so far be that much longer ago."""
        self.made -= seconds
        for step in self.transitions:
            step["StartTime"] -= seconds

    def described(self) -> dict[str, Any]:
        """As `Describe` gives it."""
        training = {"SecondaryStatus": self.secondary, "SecondaryStatusTransitions": self.transitions}
        told = {key: value for key, value in self.told.items() if key != "Tags"}
        return told | self.summary() | self.more | (training if self.noun == "TrainingJob" else {})

    def summary(self) -> dict[str, Any]:
        """As a list gives it."""
        noun = self.noun
        given: dict[str, Any] = {f"{noun}Name": self.name, f"{noun}Arn": self.arn, f"{noun}Status": self.status}
        given |= {"CreationTime": self.made, "LastModifiedTime": self.modified}
        return given | ({"SecondaryStatus": self.secondary} if noun == "TrainingJob" else {})


class FakeJobs:
    """All jobs of one region."""

    def __init__(self, region: str, put_lines: PutLines, variables: Mapping[str, str]) -> None:
        """`variables` are those by which a job finds AWS, as its role."""
        self._region = region
        self._variables = {**machine.VARIABLES, **variables, "AWS_REGION": region}
        self._put_lines = put_lines
        self.lock = threading.RLock()
        self.jobs: dict[tuple[str, str], FakeJob] = {}
        self.stop_seconds = 1.0  # between SIGTERM and SIGKILL; SageMaker takes 120
        self.hidden_seconds = 0.0  # after its creation a job is not found

    def create(self, noun: str, told: Mapping[str, Any]) -> FakeJob:
        """Begin a job."""
        shape = _MODEL.operation_model(f"Create{noun}").input_shape
        report = ParamValidator().validate(dict(told), shape)
        if report.has_errors():
            raise Wrong("ValidationException", report.generate_report())
        name = told[f"{noun}Name"]
        with self.lock:
            if (noun, name) in self.jobs:
                words = "training" if noun == "TrainingJob" else "processing"
                raise Wrong("ResourceInUse", f"{words} job names must be unique, and {name} already exists")
            arn = f"arn:aws:sagemaker:{self._region}:{ACCOUNT}:{NOUNS[noun]}/{name.lower()}"
            tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
            job = FakeJob(noun, told, arn, tags, time.time())
            job.move("Starting", "Starting the training job")
            self.jobs[noun, name] = job
        if image_of(job) != STILL:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def find(self, noun: str, name: str) -> FakeJob:
        """A job that is seen by now."""
        job = self.jobs.get((noun, name))
        if job is None or time.time() - job.made < self.hidden_seconds:
            raise Wrong("ValidationException", "Requested resource not found.")
        return job

    def of_arn(self, arn: str) -> FakeJob:
        """The job of an ARN."""
        for job in list(self.jobs.values()):
            if job.arn == arn:
                return self.find(job.noun, job.name)
        raise Wrong("ValidationException", f"Resource {arn} does not exist")

    def stop(self, job: FakeJob) -> None:
        """Have a job ended."""
        with self.lock:
            if job.status in _ENDS:
                raise Wrong("ValidationException", f"The request was rejected because the job is {job.status}.")
            if job.status != "Stopping":
                job.move("Stopping")
                job.wants_end.set()

    def close(self) -> None:
        """End what runs."""
        for job in list(self.jobs.values()):
            job.wants_end.set()

    def _run(self, job: FakeJob) -> None:
        program = job.told[_PROGRAMS[job.noun]]
        command = [*program.get("ContainerEntrypoint", []), *program.get("ContainerArguments", [])]
        self._move(job, "Downloading")
        process = subprocess.Popen(
            command,
            env={**self._variables, **job.told.get("Environment", {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._move(job, "Training")
        reader = threading.Thread(target=self._read, args=(job, process), daemon=True)
        reader.start()
        while process.poll() is None:
            if job.wants_end.wait(0.02):
                self._end(process)
        reader.join()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        self._conclude(job, code)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read(self, job: FakeJob, process: subprocess.Popen[bytes]) -> None:
        stream = f"{job.name}/algo-1-{int(job.made)}"
        assert process.stdout is not None
        rest = b""
        # As much as there is at once: a call for each line would be slower than the job.
        while said := process.stdout.read1():
            *lines, rest = (rest + said).split(b"\n")
            if lines:
                self._put_lines(_GROUPS[job.noun], stream, [line.decode() for line in lines])
        if rest:
            self._put_lines(_GROUPS[job.noun], stream, [rest.decode()])

    def _conclude(self, job: FakeJob, code: int) -> None:
        with self.lock:
            if job.wants_end.is_set():
                job.move("Stopped")
            elif code:
                job.move("Failed", FailureReason=f"AlgorithmError: , exit code: {code}")
            else:
                job.move("Uploading")
                job.move("Completed")

    def _move(self, job: FakeJob, secondary: str) -> None:
        with self.lock:
            if not job.wants_end.is_set():
                job.move(secondary)


def image_of(job: FakeJob) -> str:
    """The image of a job."""
    program = job.told[_PROGRAMS[job.noun]]
    return str(program.get("TrainingImage") or program.get("ImageUri") or "")
