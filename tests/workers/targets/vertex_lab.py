"""Jobs at the fake Vertex AI, and targets that follow them, for the tests of that target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1.types import CustomJob, JobState
from google.protobuf import json_format

from broker_config.runs import new_run_id
from tests.clouds.google_cloud import PROJECT, GoogleServices
from tests.clouds.vertex import LOCATION, Cloud, Vertex
from tests.clouds.vertex_jobs import STILL, FakeJob
from workers.builders.protocol import Artifact, ArtifactKind
from workers.config.cloud import GcpEnvironment
from workers.targets.contract.case import workload_of
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Observation, Request, Target
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.target import VertexTarget

POOL: Mapping[str, Any] = {
    "machine_spec": {"machine_type": "n1-standard-4"},
    "replica_count": 1,
    "container_spec": {},
}
CONFIG: Mapping[str, Any] = {"spec": {"worker_pool_specs": [POOL]}}
QUICK = Bounds(fastest=0.1, slowest=0.2, fresh=0.0, stale=0.5, settled=0.0, longest_pause=0.4)


def config_with(**spec: Any) -> Mapping[str, Any]:
    """The usual queue config with more under `spec`."""
    return {"spec": {**CONFIG["spec"], **spec}}


@dataclass
class VertexLab:
    """A target, and the server at which its jobs are. Of these nothing runs: the test says how far they are."""

    home: Path
    cloud: Cloud
    target: VertexTarget = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.another_agent()

    @property
    def server(self) -> Vertex:
        return self.cloud.vertex

    @property
    def services(self) -> GoogleServices:
        return self.cloud.services

    @property
    def calls(self) -> int:
        """To Vertex AI, and for log entries."""
        return self.server.faults.calls.total() + self.services.faults.calls["entries.list"]

    def another_agent(self, bounds: Bounds = QUICK) -> VertexTarget:
        target = VertexTarget(self.home, bounds)
        target.locate(GcpEnvironment(region=LOCATION))
        return target

    def request(self, config: Mapping[str, Any] = CONFIG, image: str = STILL, **env: str) -> Request:
        name = f"launchyard-{new_run_id()}-1"
        artifact = Artifact(ArtifactKind.IMAGE, image)
        return self.target.render(workload_of(name, artifact, [], config=config, env=env))

    def submit(self, config: Mapping[str, Any] = CONFIG) -> tuple[str, FakeJob]:
        """Submit a job; its name, and the job at the server."""
        request = self.request(config)
        self.target.submit(request)
        return request.name, self.job(request.name)

    def jobs(self, count: int, state: JobState = JobState.JOB_STATE_RUNNING) -> list[str]:
        """Runs whose jobs this agent has not heard of; their names."""
        names = []
        for _ in range(count):
            request = self.request()
            told = CustomJob()
            json_format.ParseDict(request.body["custom_job"], CustomJob.pb(told))
            made = self.server.place().create(f"projects/{PROJECT}/locations/{LOCATION}", told)
            self.server.place().find(made.name).move(state)
            names.append(request.name)
        return names

    def python(self, script: str, config: Mapping[str, Any] = CONFIG, secrets: Sequence[str] = ()) -> str:
        """Submit a job that really runs; its name."""
        name = f"launchyard-{new_run_id()}-1"
        artifact = Artifact(ArtifactKind.IMAGE, "python:3.11")
        made = workload_of(name, artifact, ["python", "-u", "-c", script], config=config)
        request = self.target.render(replace(made, secrets=tuple(secrets)))
        self.target.submit(request)
        return request.name

    def job(self, name: str) -> FakeJob:
        return self.server.job(Handle.parse(name).run)

    def observe(self, name: str, target: Target | None = None) -> Observation | None:
        return (target or self.target).observe([name]).get(name)

    def end_of(self, name: str) -> Observation:
        def ended() -> Observation | None:
            seen = self.observe(name)
            return seen if seen is not None and seen.phase.is_end else None

        seen = eventually(ended)
        assert seen is not None
        return seen

    def lines(self, name: str) -> list[str]:
        """All lines of a job that has ended."""
        chunk = self.target.read_logs(name, "")
        lines = [*chunk.lines]
        while chunk.more:
            chunk = self.target.read_logs(name, chunk.position)
            lines += chunk.lines
        return lines
