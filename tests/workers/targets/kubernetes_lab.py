"""A kubernetes target, and jobs for it in a namespace of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from broker_config.runs import new_run_id
from broker_config.states import Reason
from tests.cluster import JOBS, cluster, registry
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets.contract.case import workload_of
from workers.targets.contract.waiting import eventually
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.protocol import Observation, Workload


class Lab:
    """A target, and jobs in a namespace of the test's own."""

    def __init__(self, home: Path, space: str) -> None:
        self.space = space
        self.target = KubernetesTarget(home)

    def workload(self, *command: str, image: str = "library/python:3.11-slim", **config: Any) -> Workload:
        artifact = Artifact(ArtifactKind.IMAGE, f"{registry()}/{image}")
        own = {"namespace": self.space, **config}
        return workload_of(f"launchyard-{new_run_id()}-1", artifact, list(command), config=own)

    def submit(self, *command: str, **config: Any) -> str:
        request = self.target.render(self.workload(*command, **config))
        self.target.submit(request)
        return request.name

    def observe(self, name: str) -> Observation | None:
        return self.target.observe([name]).get(name)

    def seen_with(self, name: str, reason: Reason) -> Observation:
        """What is observed once it has that reason."""

        def look() -> Observation | None:
            seen = self.observe(name)
            return seen if seen is not None and seen.reason is reason else None

        found = eventually(look, 60)
        assert found is not None
        return found

    def end_of(self, name: str) -> Observation:
        def look() -> Observation | None:
            seen = self.observe(name)
            assert seen is not None
            return seen if seen.phase.is_end else None

        found = eventually(look, 60)
        assert found is not None
        return found

    def object(self, name: str) -> dict[str, Any]:
        return cluster().get(JOBS.path(self.space, Handle.parse(name).name))
