"""What macros stand for in the config of a run, on this agent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from broker_config.runs import Run
from workers.builders.protocol import Artifact, ArtifactKind


@dataclass(frozen=True, slots=True)
class Macros:
    """The values that this agent knows."""

    environment: Mapping[str, str] = field(default_factory=dict)  # variables that the agent's config lets through

    def of_run(self, run: Run) -> dict[str, str]:
        """What is known of a run before its image is there."""
        spec = run.spec
        values = {
            "entity_name": spec.queue.entity,
            "run_id": spec.id,
            "run_name": spec.name,
            "author": spec.author,
            "queue": spec.queue.name,
            "attempt": str(run.attempt),
        }
        if spec.project:
            values["project_name"] = spec.project.lower()
        return {**self.environment, **values}

    def of_job(self, run: Run, artifact: Artifact) -> dict[str, str]:
        """What is known when the run is submitted."""
        image = {"image_uri": artifact.reference} if artifact.kind is ArtifactKind.IMAGE else {}
        return {**self.of_run(run), **image}


def from_environment(names: Iterable[str], environ: Mapping[str, str] | None = None) -> Macros:
    """The variables of those names; one that is not set stays unknown."""
    environ = os.environ if environ is None else environ
    return Macros({name: environ[name] for name in names if name in environ})
