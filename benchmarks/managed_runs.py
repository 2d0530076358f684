"""Many live runs on SageMaker and Vertex AI, at servers of the tests that count: what following them costs in calls."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from broker_config.runs import new_run_id
from broker_config.store import Store
from tests.clouds.sagemaker import SageMaker, cloud
from tests.clouds.sagemaker_jobs import STILL
from tests.clouds.vertex import shared_cloud
from tests.workers.targets.vertex_lab import VertexLab
from tests.workers.targets.watching import followed
from workers.builders.protocol import Artifact, ArtifactKind
from workers.limits import SharedLimits
from workers.targets.contract.case import workload_of
from workers.targets.pace import Bounds
from workers.targets.sagemaker.target import SageMakerTarget

SECONDS = 60.0
CALLS_OF_WANDB = 12
"""A minute for each run: W&B Launch describes every job by itself, every five seconds (`sagemaker_runner.py`)."""

_CONFIG = {
    "RoleArn": "arn:aws:iam::123456789012:role/Trainer",
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}


def calls_per_minute(runs: int) -> float:
    """Of an agent that has taken so many runs up, in the first minute after that, while nothing happens."""
    with cloud() as aws, tempfile.TemporaryDirectory(prefix="ly-") as home:
        _set(aws.variables)
        target, stop = SageMakerTarget(Path(home)), threading.Event()
        names = _running(aws.sagemaker, target, runs)
        thread = threading.Thread(target=target.watch, args=(lambda _: None, stop))
        thread.start()
        target.observe(names)
        made = aws.sagemaker.faults.calls.total()
        for _ in range(2):
            time.sleep(SECONDS / 2)
            target.observe(names)
        stop.set()
        thread.join()
        return (aws.sagemaker.faults.calls.total() - made) * 60 / SECONDS


def calls_per_minute_of_agents(store: Store, agents: int) -> float:
    """Of so many agents of one broker with a run each, in the first minute, while nothing happens."""
    with cloud() as aws, tempfile.TemporaryDirectory(prefix="ly-") as home, ExitStack() as following:
        _set(aws.variables)
        for _ in range(agents):
            target = SageMakerTarget(Path(home))
            target.share(SharedLimits(store.platforms))
            following.enter_context(followed(target))
            target.observe(_running(aws.sagemaker, target, 1))
        made = aws.sagemaker.faults.calls.total()
        time.sleep(SECONDS)
        return (aws.sagemaker.faults.calls.total() - made) * 60 / SECONDS


def _running(server: SageMaker, target: SageMakerTarget, runs: int) -> list[str]:
    names = []
    for _ in range(runs):
        image = Artifact(ArtifactKind.IMAGE, STILL)
        request = target.render(workload_of(f"launchyard-{new_run_id()}-1", image, [], config=_CONFIG))
        job = server.region().create("TrainingJob", request.body["input"])
        job.move("Training")
        job.age(3600)
        names.append(request.name)
    return names


def vertex_calls_per_minute(runs: int) -> float:
    """The same on Vertex AI, with what it takes to ask for the logs of all of them all the time."""
    google = shared_cloud()
    google.reset()
    _set(google.variables)
    with tempfile.TemporaryDirectory(prefix="ly-") as home:
        lab = VertexLab(Path(home), google)
        target = lab.another_agent(Bounds())
        positions = dict.fromkeys(lab.jobs(runs), "")
        with followed(target):
            target.observe([*positions])
            made, until = lab.calls, time.monotonic() + SECONDS
            while time.monotonic() < until:
                target.observe([*positions])
                for name, position in positions.items():
                    positions[name] = target.read_logs(name, position).position
                time.sleep(0.5)
            return (lab.calls - made) * 60 / SECONDS


def _set(variables: Mapping[str, str]) -> None:
    # Nothing else of this program speaks to a cloud.
    os.environ.update(variables)
