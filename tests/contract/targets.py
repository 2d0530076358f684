"""The members of the family of targets, for the contract suite. A new target is added to `TARGETS`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from broker_config.runs import RunId, new_run_id
from tests.clouds import sagemaker, vertex
from tests.cluster import cluster, registry
from tests.contract.waiting import eventually
from tests.docker_engine import BASE_IMAGE, engine, remove_marks
from workers.builders.protocol import Artifact, ArtifactKind
from workers.config.cloud import GcpEnvironment
from workers.kubernetes.resource import CONFIG_MAPS
from workers.targets.docker import DockerTarget
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.local_process import LocalProcessTarget
from workers.targets.pace import Bounds
from workers.targets.protocol import LogChunk, Observation, Target, Workload
from workers.targets.sagemaker.target import SageMakerTarget
from workers.targets.stub import StubTarget
from workers.targets.vertex.target import VertexTarget


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a job of the suite does: prints, stays a while, and ends with a code."""

    lines: tuple[str, ...] = ()
    seconds: float = 0.0
    exit_code: int = 0
    ignores_cancel: bool = False


class Case(Protocol):
    """How the suite makes a target and gives it jobs. Each may skip the test with `tests.services.require`."""

    keeps_names: ClassVar[bool] = False
    """Whether the platform gives a name once, and keeps it with its object for good."""

    def make(self, home: Path) -> Target: ...

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload: ...

    def clean(self, name: str) -> None: ...  # of what a release leaves outside of the home folder

    def variables(self) -> Mapping[str, str]:
        """Of the environment, by which the target finds its platform."""
        return {}


class Stub(Case):
    def make(self, home: Path) -> Target:
        return StubTarget(home)

    def clean(self, name: str) -> None:
        pass

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        return workload_of(
            name,
            Artifact(ArtifactKind.IMAGE, "stub@sha256:0"),
            ["stub"],
            config={
                "lines": list(behaviour.lines),
                "seconds": behaviour.seconds,
                "exit_code": behaviour.exit_code,
                "ignores_cancel": behaviour.ignores_cancel,
            },
        )


_SCRIPT = """if True:
    import json, signal, sys, time
    behaviour = json.loads(sys.argv[1])
    if behaviour["ignores_cancel"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in behaviour["lines"]:
        print(line)
    time.sleep(behaviour["seconds"])
    sys.exit(behaviour["exit_code"])
"""


class LocalProcess(Case):
    def make(self, home: Path) -> Target:
        return LocalProcessTarget(home)

    def clean(self, name: str) -> None:
        pass

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        code = home / "code"
        code.mkdir(exist_ok=True)
        told = json.dumps(asdict(behaviour))
        environment = Artifact(ArtifactKind.ENVIRONMENT, sys.prefix)
        return workload_of(name, environment, ["python", "-c", _SCRIPT, told], folder=code)


class Docker(Case):
    def make(self, home: Path) -> Target:
        engine()
        return DockerTarget(home)

    def clean(self, name: str) -> None:
        remove_marks(name)

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        told = json.dumps(asdict(behaviour))
        image = Artifact(ArtifactKind.IMAGE, BASE_IMAGE)
        return workload_of(name, image, ["python", "-u", "-c", _SCRIPT, told], config={"cpus": 1})


class Kubernetes(Case):
    """Jobs in the namespace of the context: the suite's names are those of objects that say nothing of a place."""

    def make(self, home: Path) -> Target:
        cluster()
        return KubernetesTarget(home)

    def clean(self, name: str) -> None:
        for mark in cluster().listed(CONFIG_MAPS.path("default"), "launchyard/mark"):
            if mark["metadata"]["name"].startswith(name.partition("@")[0]):
                cluster().delete(CONFIG_MAPS.path("default", mark["metadata"]["name"]))

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        told = json.dumps(asdict(behaviour))
        image = Artifact(ArtifactKind.IMAGE, f"{registry()}/library/python:3.11-slim")
        return workload_of(name.partition("@")[0], image, ["python", "-u", "-c", _SCRIPT, told])


class SageMaker(Case):
    """Training jobs at a server that has no more time to lose than the others."""

    keeps_names = True

    def make(self, home: Path) -> Target:
        return SageMakerTarget(home, Bounds(fastest=0.1, slowest=0.3, fresh=0.1, settled=-1.0))

    def variables(self) -> Mapping[str, str]:
        return sagemaker.shared_cloud().variables

    def clean(self, name: str) -> None:
        pass

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        config = {
            "RoleArn": "Trainer",
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        image = Artifact(ArtifactKind.IMAGE, "registry.example/train:1")
        return workload_of(
            name.partition("@")[0],
            image,
            ["python", "-u", "-m", "tests.clouds.behaviour"],
            config=config,
            env={"LAUNCHYARD_CONFIG": json.dumps(asdict(behaviour))},
        )


class Vertex(Case):
    """Custom jobs at a server that has no more time to lose than the others."""

    def make(self, home: Path) -> Target:
        target = VertexTarget(home, Bounds(fastest=0.1, slowest=0.3, fresh=0.1, settled=0.0))
        target.locate(GcpEnvironment(region=vertex.LOCATION))
        return target

    def variables(self) -> Mapping[str, str]:
        return vertex.shared_cloud().variables

    def clean(self, name: str) -> None:
        pass

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": {}}
        told = json.dumps(asdict(behaviour))
        image = Artifact(ArtifactKind.IMAGE, "registry.example/train:1")
        config = {"spec": {"worker_pool_specs": [pool]}}
        return workload_of(name.partition("@")[0], image, ["python", "-u", "-c", _SCRIPT, told], config=config)


TARGETS: dict[str, Case] = {
    "stub": Stub(),
    "local-process": LocalProcess(),
    "docker": Docker(),
    "kubernetes": Kubernetes(),
    "sagemaker": SageMaker(),
    "vertex": Vertex(),
}


def workload_of(
    name: str,
    artifact: Artifact,
    entry_point: list[str],
    folder: Path | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Workload:
    """A workload with the fields that the suite does not care about filled in."""
    return Workload(
        name=name,
        run_id=RunId(name.split("-")[1]),
        attempt=int(name.split("-")[2]),
        queue="gpu-queue",
        artifact=artifact,
        folder=folder,
        entry_point=tuple(entry_point),
        args=(),
        env=env or {},
        labels={},
        config=config or {},
    )


@dataclass
class Lab:
    """A target with jobs in it; what is left of them is removed at the end of the test."""

    case: Case
    home: Path
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.target = self.case.make(self.home)

    def another_agent(self) -> Target:
        """The same target as a second agent of this machine sees it."""
        return self.case.make(self.home)

    def workload(self, behaviour: Behaviour, name: str | None = None) -> Workload:
        return self.case.workload(self.home, name or self.new_name(), behaviour)

    def submit(self, behaviour: Behaviour) -> str:
        request = self.target.render(self.workload(behaviour))
        self.target.submit(request)
        return request.name

    def new_name(self) -> str:
        name = f"launchyard-{new_run_id()}-1"
        self.names.append(name)
        return name

    def observe(self, name: str) -> Observation | None:
        return self.target.observe([name]).get(name)

    def end_of(self, name: str) -> Observation:
        """How it ended, waited for."""

        def ended() -> Observation | None:
            observed = self.observe(name)
            assert observed is not None, f"{name} is gone"
            return observed if observed.phase.is_end else None

        observed = eventually(ended)
        assert observed is not None
        return observed

    def lines(self, name: str, target: Target | None = None, position: str = "") -> list[str]:
        """All lines from a position on."""
        reader = target or self.target
        lines: list[str] = []
        chunk = LogChunk(position=position, more=True)
        while chunk.more:
            chunk = reader.read_logs(name, chunk.position)
            lines += chunk.lines
        return lines

    def close(self) -> None:
        for name in self.names:
            if self.observe(name) is not None:
                self.target.cancel(name, 0.0)
                self.end_of(name)
                self.target.release(name)
            self.case.clean(name)
