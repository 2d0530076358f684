"""A cluster of this machine, for tests: the commands in `commands/`, with a folder of their own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from launchyard_slurm.target import SlurmTarget
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets.contract.case import SCRIPT, Behaviour, Case, workload_of
from workers.targets.pace import Bounds
from workers.targets.protocol import Target, Workload

COMMANDS = Path(__file__).parent / "commands"
BOUNDS = Bounds(fastest=0.1, slowest=0.3, fresh=0.05, stale=1.0, settled=0.2, longest_pause=0.2)


class Slurm(Case):
    """Jobs of the commands; none of them costs more time than it has to."""

    def __init__(self) -> None:
        # Removed with the case.
        self._temporary = tempfile.TemporaryDirectory(prefix="ly-slurm-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)

    def variables(self) -> Mapping[str, str]:
        return {"PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}", "FAKE_SLURM": str(self.folder)}

    def make(self, home: Path) -> Target:
        return SlurmTarget(home, BOUNDS)

    def clean(self, name: str) -> None:
        pass

    def workload(
        self, home: Path, name: str, behaviour: Behaviour, config: Mapping[str, Any] | None = None
    ) -> Workload:
        code = home / "code"
        code.mkdir(exist_ok=True)
        told = json.dumps(asdict(behaviour))
        environment = Artifact(ArtifactKind.ENVIRONMENT, sys.prefix)
        return workload_of(name, environment, ["python", "-c", SCRIPT, told], folder=code, config=config)
