"""The members of the family of targets, as the contract suite has to know them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.clouds import sagemaker, vertex
from tests.cluster import cluster, registry
from tests.docker_engine import BASE_IMAGE, engine, remove_marks
from workers.builders.protocol import Artifact, ArtifactKind
from workers.config.cloud import GcpEnvironment
from workers.kubernetes.resource import CONFIG_MAPS
from workers.targets.contract.case import SCRIPT, Behaviour, Case, workload_of
from workers.targets.docker import DockerTarget
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.local_process import LocalProcessTarget
from workers.targets.pace import Bounds
from workers.targets.protocol import Target, Workload
from workers.targets.sagemaker.target import SageMakerTarget
from workers.targets.stub import StubTarget
from workers.targets.vertex.target import VertexTarget


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
        return workload_of(name, environment, ["python", "-c", SCRIPT, told], folder=code)


class Docker(Case):
    def make(self, home: Path) -> Target:
        engine()
        return DockerTarget(home)

    def clean(self, name: str) -> None:
        remove_marks(name)

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        told = json.dumps(asdict(behaviour))
        image = Artifact(ArtifactKind.IMAGE, BASE_IMAGE)
        return workload_of(name, image, ["python", "-u", "-c", SCRIPT, told], config={"cpus": 1})


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
        return workload_of(name.partition("@")[0], image, ["python", "-u", "-c", SCRIPT, told])


class SageMaker(Case):
    """Training jobs at a server that has no more time to lose than the others."""

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
        return workload_of(name.partition("@")[0], image, ["python", "-u", "-c", SCRIPT, told], config=config)
