"""How a job is named to everybody outside of this target: the run's name, and where the job is.

Whoever takes a run up knows nothing but its record, so all that finds the job stands in its name, as in
`launchyard-RUN-1@eu-west-1/training-job/JOB`. A profile and a role to assume stand before the region.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from workers.targets.sagemaker.operations import BY_KIND, TRAINING, Operation

_RUN = re.compile(r"launchyard-[a-z0-9]+-\d+$")


@dataclass(frozen=True, slots=True)
class Handle:
    """Where one job is. An empty profile, role or region is that which the agent finds by itself."""

    run: str  # its name, with the attempt
    profile: str
    role: str  # to assume
    region: str
    kind: str
    name: str  # the job's, which ends in the run's

    @classmethod
    def of(cls, run: str, session: Mapping[str, str], operation: Operation, name: str) -> Handle:
        """That of a job to be created."""
        profile, role, region = (session.get(key, "") for key in ("profile", "assume_role_arn", "region"))
        return cls(run, profile, role, region, operation.kind, name)

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Read back what `str` wrote; a run's name alone is that of a training job."""
        run, _, place = text.partition("@")
        if place.count("/") not in {2, 3}:
            return cls(run, "", "", "", TRAINING.kind, run)
        account, region, kind, name = place.split("/") if place.count("/") == 3 else ["", *place.split("/")]
        profile, _, role = account.partition("#")
        return cls(run, unquote(profile), unquote(role), unquote(region), kind, unquote(name))

    @property
    def operation(self) -> Operation:
        return BY_KIND.get(self.kind, TRAINING)

    @property
    def place(self) -> Handle:
        """The same without its job: what all jobs at that place share."""
        return replace(self, run="", name="")

    def beside(self, name: str) -> Handle | None:
        """That of another job at the same place; None for one that is not named after a run."""
        run = _RUN.search(name)
        return replace(self, run=run[0], name=name) if run else None

    def __str__(self) -> str:
        role = f"#{quote(self.role, safe='')}" if self.role else ""
        account = f"{quote(self.profile, safe='')}{role}"
        parts = (*filter(None, [account]), quote(self.region, safe=""), self.kind, quote(self.name, safe=""))
        return f"{self.run}@{'/'.join(parts)}"
