"""One small job for each target, which tells how often it really began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import ImageSource
from broker_config.queues import Queue
from broker_config.runs import Run, RunId
from producer import Client, LocalCode
from tests.clouds import sagemaker, vertex
from tests.cluster import JOBS, cluster, registry
from tests.docker_engine import engine, remove_marks
from tests.faults.api_server import ClusterProxy
from tests.workers.targets.sagemaker_lab import CONFIG as TRAINING
from tests.workers.targets.vertex_lab import config_with
from workers.kubernetes.resource import CONFIG_MAPS
from workers.targets.docker import DockerTarget
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.local_process import LocalProcessTarget
from workers.targets.protocol import Target
from workers.targets.sagemaker.target import SageMakerTarget
from workers.targets.stub import StubTarget
from workers.targets.vertex.target import VertexTarget

QUEUE = "faults"
IMAGE = "library/python:3.11-slim"
LINES = tuple(f"line {number}" for number in range(5))
SECONDS = 1.0

_SCRIPT = f"""import os, time
with open(os.environ["BEGAN"], "a") as began:
    began.write(os.environ["LAUNCHYARD_RUN_ID"] + chr(10))
for line in {LINES!r}:
    print(line, flush=True)
    time.sleep({SECONDS / len(LINES)})
"""


_TARGETS: Mapping[str, Callable[[Path], Target]] = {
    "stub": StubTarget,
    "local-process": LocalProcessTarget,
    "docker": DockerTarget,
    "kubernetes": KubernetesTarget,
    "sagemaker": SageMakerTarget,
    "vertex": VertexTarget,
}

_CLOUDS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "sagemaker": lambda: sagemaker.shared_cloud().variables,
    "vertex": lambda: vertex.shared_cloud().variables,
}
"""Those whose jobs are processes of this machine, in the place of containers; and how they are found."""


@dataclass
class Jobs:
    """Launches the job of one target, and counts."""

    target: str
    home: Path
    launched: list[RunId] = field(default_factory=list)
    way: ClusterProxy | None = None
    """To the cluster, for the agents; the test has its own."""

    variables: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    """Of this process, and so of the agents: where the cloud is."""

    @property
    def builder(self) -> str:
        """The agent's image builder."""
        return {"stub": "stub", "docker": "docker"}.get(self.target, "noop")

    def prepare(self, client: Client) -> None:
        """Make the queue, and the code."""
        if self.target == "docker":
            engine()
        if self.target == "kubernetes":
            cluster()
            self.way = ClusterProxy(self.home)
        if self.target in _CLOUDS:
            for name, value in _CLOUDS[self.target]().items():
                self.variables.setenv(name, value)
        config: dict[str, dict[str, Any]] = {
            "stub": {"seconds": SECONDS, "lines": list(LINES)},
            "local-process": {},
            "docker": {"volume": [f"{self._began.parent}:/began"]},
            "kubernetes": {
                "configFile": str(self.way.config) if self.way else "",
                "spec": {"template": {"spec": self._pod()}},
            },
            "sagemaker": dict(TRAINING),
            "vertex": dict(config_with(location=vertex.LOCATION)),
        }
        code = self.home / "code"
        code.mkdir()
        (code / "job.py").write_text(_SCRIPT)
        self._began.parent.mkdir()
        # A container's user is not ours.
        self._began.parent.chmod(0o777)
        client.queues.create(Queue(name=QUEUE, resource=self.target, config=config[self.target]))

    def launch(self, client: Client, **overrides: Any) -> RunId:
        """One run of the job."""
        folder = "/began" if self.target in {"docker", "kubernetes"} else str(self._began.parent)
        handle = client.launch(
            queue=QUEUE,
            source=self._source(),
            entry_point=self._entry_point(),
            env={"BEGAN": f"{folder}/began"},
            overrides=overrides,
        )
        self.launched.append(handle.id)
        return handle.id

    def _source(self) -> ImageSource | LocalCode:
        # A cluster has no builder here that needs no registry; its node has the image.
        if self.target == "kubernetes":
            return ImageSource(image=f"{registry()}/{IMAGE}")
        if self.target in _CLOUDS:
            return ImageSource(image=f"registry.example/train@sha256:{0:064}")
        return LocalCode(self.home / "code")

    def _entry_point(self) -> list[str]:
        if self.target == "kubernetes":
            return ["python", "-c", _SCRIPT]
        # In place of a container there is a process of this machine.
        return ["python", str(self.home / "code" / "job.py") if self.target in _CLOUDS else "job.py"]

    def times_begun(self, run: Run) -> int:
        """How often the job of this run really began, at the target."""
        if self.target == "stub":
            return StubTarget(self.home).submissions().count(run.object_name)
        return self._began.read_text().split().count(run.id) if self._began.exists() else 0

    def is_left(self, run: Run) -> bool:
        """Whether the ended object is still there."""
        return any(name.partition("@")[0] == run.object_name for name in self._at_target().inventory())

    def remove(self) -> None:
        """Remove what is left at a target outside of the home folder."""
        self.variables.undo()
        if self.target == "docker":
            for run_id in self.launched:
                for found in engine().containers(all=True, filters={"label": f"launchyard.run-id={run_id}"}):
                    engine().remove_container(found["Id"], v=True, force=True)
                remove_marks(f"launchyard-{run_id}-1")
        if self.way is not None:
            self.way.close()
            for run_id in self.launched:
                cluster().delete(
                    JOBS.path("default", f"launchyard-{run_id}-1"), options={"propagationPolicy": "Background"}
                )
                for mark in ("cancelled", "released"):
                    cluster().delete(CONFIG_MAPS.path("default", f"launchyard-{run_id}-1.{mark}"))

    def _pod(self) -> dict[str, Any]:
        """A pod whose node is this machine, with the folder in which jobs say that they began."""
        return {
            "containers": [{"volumeMounts": [{"name": "began", "mountPath": "/began"}]}],
            "volumes": [{"name": "began", "hostPath": {"path": str(self._began.parent)}}],
        }

    def _at_target(self) -> Target:
        return _TARGETS[self.target](self.home)

    @property
    def _began(self) -> Path:
        return self.home / "counts" / "began"
