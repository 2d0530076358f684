"""Jobs at the fake SageMaker, and targets that follow them, for the tests of that target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from broker_config.runs import new_run_id
from tests.clouds.sagemaker import SageMaker
from tests.clouds.sagemaker_jobs import STILL, FakeJob
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets.contract.case import workload_of
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Observation, Request, Target
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.target import SageMakerTarget

CONFIG: Mapping[str, Any] = {
    "RoleArn": "Trainer",
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}
QUICK = Bounds(fastest=0.1, slowest=0.2, fresh=0.0, stale=20.0, settled=-1.0, longest_pause=0.4)


@dataclass
class SageMakerLab:
    """A target, and the server at which its jobs are. Of these nothing runs: the test says how far they are."""

    home: Path
    server: SageMaker
    target: SageMakerTarget = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.another_agent()

    def another_agent(self, bounds: Bounds = QUICK) -> SageMakerTarget:
        return SageMakerTarget(self.home, bounds)

    def request(self, config: Mapping[str, Any] = CONFIG, image: str = STILL, **env: str) -> Request:
        name = f"launchyard-{new_run_id()}-1"
        artifact = Artifact(ArtifactKind.IMAGE, image)
        return self.target.render(workload_of(name, artifact, [], config=config, env=env))

    def request_for(self, script: str, config: Mapping[str, Any] = CONFIG, secrets: Sequence[str] = ()) -> Request:
        """That of a job that really runs."""
        name = f"launchyard-{new_run_id()}-1"
        artifact = Artifact(ArtifactKind.IMAGE, "python:3.11")
        made = workload_of(name, artifact, ["python", "-u", "-c", script], config=config)
        return self.target.render(replace(made, secrets=tuple(secrets)))

    def python(self, script: str, config: Mapping[str, Any] = CONFIG, secrets: Sequence[str] = ()) -> str:
        """Submit a job that really runs; its name."""
        request = self.request_for(script, config, secrets)
        self.target.submit(request)
        return request.name

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

    def submit(self, config: Mapping[str, Any] = CONFIG) -> tuple[str, FakeJob]:
        """Submit a job; its name, and the job at the server."""
        request = self.request(config)
        self.target.submit(request)
        return request.name, self.job(request.name)

    def job(self, name: str) -> FakeJob:
        handle = Handle.parse(name)
        return self.server.region(handle.region or "eu-west-1").jobs[handle.operation.noun, handle.name]

    def observe(self, name: str, target: Target | None = None) -> Observation | None:
        return (target or self.target).observe([name]).get(name)
