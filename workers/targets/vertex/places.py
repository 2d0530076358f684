"""Where jobs are: projects and locations, each listed once however many queues and runs go there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from broker_config.errors import LaunchyardError
from workers.config.cloud import GcpEnvironment
from workers.targets.neighbours import Limits
from workers.targets.pace import Bounds
from workers.targets.vertex.account import Account
from workers.targets.vertex.entries import Entries
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.jobs import OURS, Jobs
from workers.targets.vertex.listing import Listing
from workers.targets.vertex.logs import Logs
from workers.targets.vertex.marks import Marks
from workers.targets.vertex.secret_manager import SecretManager


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One location of a project."""

    handle: Handle  # of the place itself
    account: Account
    project: str
    jobs: Jobs
    listing: Listing
    secrets: SecretManager
    marks: Marks
    logs: Logs

    def handles(self) -> dict[str, str]:
        """Of all our jobs that were not released: by their names, those of the runs and where they are."""
        return {job.name: str(self.handle.beside(job.run)) for job in self.jobs.listed(OURS)}


class Places:
    """All places that this agent has come to know. They are remembered, for what is left there when it starts anew."""

    def __init__(self, home: Path, changed: Callable[[str], None], bounds: Bounds) -> None:
        self._memory = home / "vertex-places"  # an empty file each, as several agents share a home
        self._changed = changed
        self._bounds = bounds
        self.environment: GcpEnvironment | None = None  # where a queue does not say where
        self.limits: Limits | None = None  # that all agents share
        self._lock = threading.RLock()
        self._accounts: dict[tuple[str, str], Account] = {}
        self._places: dict[Handle, Place] = {}
        self._is_watching = False

    def of(self, handle: Handle) -> Place:
        """The place of a job.

        Raises:
            ConfigError: when nobody says where it is, or there are no credentials.
        """
        where = handle.place
        with self._lock:
            if where not in self._places:
                self._places[where] = self._made(where)
                self._memory.mkdir(parents=True, exist_ok=True)
                (self._memory / quote(str(where), safe="@")).touch()
            return self._places[where]

    def all(self) -> tuple[Sequence[Place], Sequence[str]]:
        """Every place known, those of earlier agents in the same home too; where there are none, the agent's own.

        And of those that cannot be told now, why not.
        """
        remembered = [path.name for path in self._memory.iterdir()] if self._memory.is_dir() else []
        found, unknown = [], []
        for name in remembered or [""]:
            try:
                found.append(self.of(Handle.parse(unquote(name))))
            except LaunchyardError as error:
                unknown.append(str(error))
        return found, unknown

    def of_project(self, project: str) -> list[str]:
        """What all agents call the places of a project that are known here."""
        found, _ = self.all()
        return [place.jobs.shared_name() for place in found if place.project == project]

    def watch(self) -> None:
        """Have all places followed, and those that come."""
        with self._lock:
            self._is_watching = True
            for place in self._places.values():
                place.listing.poll.follow()

    def stop(self) -> None:
        """End what follows them."""
        with self._lock:
            for place in self._places.values():
                place.listing.poll.stop()

    def _made(self, where: Handle) -> Place:
        given = self.environment
        location = where.location or (given.region if given else "")
        key = (where.account, location)
        account = self._accounts.setdefault(key, Account(where.account, location))
        project = where.project or (given.project if given else None) or account.project
        jobs, secrets = Jobs(account, project), SecretManager(account, project)
        marks = Marks(secrets)

        def changed(run: str) -> None:
            self._changed(str(where.beside(run)))

        listing = Listing(jobs, marks, changed, self._bounds, self.limits)
        if self._is_watching:
            listing.poll.follow()
        logs = Logs(Entries(account, project), self._bounds)
        return Place(where, account, project, jobs, listing, secrets, marks, logs)
