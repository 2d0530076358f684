"""What the suite has to be told of a target: how it is made, and how it gets jobs that do what a test needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from broker_config.runs import RunId
from workers.builders.protocol import Artifact
from workers.targets.protocol import Target, Workload


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a job of the suite does: prints, stays a while, and ends with a code."""

    lines: tuple[str, ...] = ()
    seconds: float = 0.0
    exit_code: int = 0
    ignores_cancel: bool = False  # whether it goes on after SIGTERM, or what the platform sends in its place


SCRIPT = """if True:
    import json, signal, sys, time
    behaviour = json.loads(sys.argv[1])
    if behaviour["ignores_cancel"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in behaviour["lines"]:
        print(line)
    time.sleep(behaviour["seconds"])
    sys.exit(behaviour["exit_code"])
"""
"""A job for `python -u -c`; its one argument is `json.dumps(asdict(behaviour))`."""


class Case(Protocol):
    """How the suite makes a target and gives it jobs. Each call may skip the test, with `pytest.skip`."""

    def make(self, home: Path) -> Target:
        """The target as one more agent on this machine, whose folder is `home`, sees it."""

    def workload(self, home: Path, name: str, behaviour: Behaviour) -> Workload:
        """A run that behaves so; `workload_of` fills in what the suite does not care about."""

    def clean(self, name: str) -> None:
        """Remove what a release leaves of an object outside of the home folder."""

    def variables(self) -> Mapping[str, str]:
        """Of the environment, by which the target finds its platform."""
        return {}


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
