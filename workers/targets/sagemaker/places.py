"""Where jobs are: a kind in a region of an account, each listed once however many queues and runs go there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from workers.targets.neighbours import Limits
from workers.targets.pace import Bounds
from workers.targets.sagemaker.account import Account
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.jobs import Job, Jobs, paged
from workers.targets.sagemaker.listing import Listing
from workers.targets.sagemaker.logs import Logs
from workers.targets.sagemaker.marks import MANAGED, Unborn, is_released


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One kind of jobs in one region of an account."""

    handle: Handle  # of the place itself
    account: Account
    jobs: Jobs
    listing: Listing
    unborn: Unborn
    logs: Logs

    def find(self, handle: Handle) -> tuple[Job, dict[str, str]] | None:
        """A job as it is now, with its tags; None when it is gone, was released, or is somebody else's."""
        job = self.jobs.find(handle.name)
        if job is None:
            return None
        tags = self.jobs.tags(job)
        return None if is_released(tags) else (job, tags)

    def handles(self) -> dict[str, str]:
        """Of all our jobs that were not released: by their ARNs, the names of the runs and where they are."""
        kind = self.jobs.operation.kind
        found = {}
        for page in paged(
            self.account,
            "resourcegroupstaggingapi",
            "GetResources",
            "PaginationToken",
            ResourceTypeFilters=[f"sagemaker:{kind}"],
            TagFilters=[{"Key": MANAGED, "Values": ["true"]}],
        ):
            for one in page["ResourceTagMappingList"]:
                arn = one["ResourceARN"]
                if (handle := self.handle.beside(arn.rpartition("/")[2])) is not None:
                    found[arn] = str(handle)
        return found


class Places:
    """All places that this agent has come to know. They are remembered, for what is left there when it starts anew."""

    def __init__(self, home: Path, changed: Callable[[str], None], bounds: Bounds) -> None:
        self._memory = home / "sagemaker-places"  # an empty file each, as several agents share a home
        self._changed = changed
        self._bounds = bounds
        self.region = ""  # of a queue that names none; empty: the library finds one
        self.limits: Limits | None = None  # that all agents share
        self._lock = threading.RLock()
        self._accounts: dict[Handle, Account] = {}
        self._places: dict[Handle, Place] = {}
        self._is_watching = False

    def of(self, handle: Handle) -> Place:
        """The place of a job. Asks nobody."""
        where = handle.place
        with self._lock:
            if where not in self._places:
                self._places[where] = self._made(where)
                self._memory.mkdir(parents=True, exist_ok=True)
                (self._memory / quote(str(where), safe="")).touch()
            return self._places[where]

    def all(self) -> Sequence[Place]:
        """Every place known, and those of earlier agents in the same home; where there are none, the agent's own."""
        remembered = [path.name for path in self._memory.iterdir()] if self._memory.is_dir() else []
        for name in remembered:
            self.of(Handle.parse(unquote(name)))
        with self._lock:
            places = list(self._places.values())
        # It is not remembered: where all queues name their region, the agent may have none.
        return places or [self._made(Handle.parse("").place)]

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
        key = replace(where, kind="")
        account = self._accounts.setdefault(key, Account(where.profile, where.role, where.region or self.region))
        jobs = Jobs(account, where.operation)

        def changed(name: str) -> None:
            if (handle := where.beside(name)) is not None:
                self._changed(str(handle))

        listing = Listing(jobs, changed, self._bounds, self.limits)
        if self._is_watching:
            listing.poll.follow()
        return Place(where, account, jobs, listing, Unborn(account), Logs(account, where.operation))
