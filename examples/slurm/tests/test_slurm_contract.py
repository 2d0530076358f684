"""What every target promises, kept by this one."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

from launchyard_slurm.resource import SlurmResource
from launchyard_slurm.target import SlurmTarget
from slurm_lab import Slurm
from workers.targets.contract.suite import TargetContract

ENTRY_POINTS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["entry-points"]


class TestSlurm(TargetContract):
    case = Slurm()


def test_an_agent_that_has_the_package_finds_both_halves_of_it() -> None:
    found = {group: EntryPoint("slurm", told["slurm"], group).load() for group, told in ENTRY_POINTS.items()}
    assert found == {"launchyard.targets": SlurmTarget, "launchyard.resources": SlurmResource}
