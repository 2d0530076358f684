"""How a job is named to everybody outside of this target: the run's name, and where the job is.

Whoever takes a run up knows nothing but its record, so what leads to the job stands in its name, as in
`launchyard-RUN-1@research/europe-west4`. Vertex AI gives a job an id of its own, so there it is found by its labels. A
service account to impersonate stands before the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True)
class Handle:
    """Where one job is. An empty account, project or location is that which the agent finds by itself."""

    run: str  # its name, with the attempt
    account: str = ""  # to impersonate
    project: str = ""
    location: str = ""

    @classmethod
    def of(cls, run: str, place: Mapping[str, str]) -> Handle:
        """That of a job to be created."""
        account, project, location = (
            place.get(key, "") for key in ("impersonate_service_account", "project", "location")
        )
        return cls(run, account, project, location)

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Read back what `str` wrote; a run's name alone is that of a job where the agent is."""
        run, _, place = text.partition("@")
        parts = [unquote(part) for part in place.split("/")]
        if len(parts) not in {2, 3}:
            return cls(run)
        return cls(run, *([""] if len(parts) == 2 else []), *parts)

    @property
    def place(self) -> Handle:
        """The same without its job: what all jobs at that place share."""
        return replace(self, run="")

    def beside(self, run: str) -> Handle:
        """That of another run's job at the same place."""
        return replace(self, run=run)

    def __str__(self) -> str:
        if not (self.account or self.project or self.location):
            return self.run
        parts = (*filter(None, [self.account]), self.project, self.location)
        return f"{self.run}@{'/'.join(quote(part, safe='') for part in parts)}"
