"""One build of the same content at a time, over threads, agents and hosts: the others wait for it, and see it go on.

Whoever builds holds a lease with a fence on what is built, which the agent's heartbeat keeps. When the agent dies the
lease ends, and one of those who wait builds instead. A cancelled run ends its build, and the next one who waits goes on
from what the builder's cache has by then. A build that fails by the job's own fault fails all that wanted the same
before; after a passing trouble the next one tries.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from broker_config.errors import TemporaryError
from broker_config.runs import FailureClass, Run
from broker_config.store.builds import BuildStore, Ended, Failure, Underway, Want
from broker_config.store.logs import LogStore
from workers.build_log import BuildLog
from workers.builders.protocol import Artifact, Builder, BuildOrder
from workers.failures import RunCancelled, RunFailed
from workers.session import Session

logger = logging.getLogger(__name__)

READ_SECONDS = 0.5
"""Longest wait for news of another's build; the wish to cancel is asked for as often."""

LOOK_SECONDS = 1.0
"""How often one who waits asks for the lease. An end is told at once, but a builder that died tells nothing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run needs to have built."""

    run: Run
    builder: Builder
    order: BuildOrder
    key: str
    cancelled: Callable[[], bool]

    def find(self) -> Artifact | None:
        """The artifact, if it is there."""
        return self.builder.find(self.order, self.key)


@dataclass(slots=True)
class Lease:
    """The right to build."""

    want: Want
    fence: int
    is_lost: bool = False  # another agent has it


class Builds:
    """The builds of this agent, and those of others that its runs wait for."""

    def __init__(self, builds: BuildStore, logs: LogStore, session: Session, lease_seconds: float) -> None:
        self._builds = builds
        self._logs = logs
        self._session = session
        self._lease_seconds = lease_seconds
        self._leases: dict[int, Lease] = {}

    def artifact(self, wanted: Wanted) -> Artifact:
        """What the run needs, once it is there: built here, or by another agent that was first.

        Raises:
            RunFailed: when the build failed, here or for another run.
            RunCancelled, TemporaryError: as the builder does.
        """
        want = self._want(wanted)
        onlooker = Onlooker(self._builds, wanted, want.key, partial(self._logs.append, wanted.run.id, "build"))
        artifact = None
        while artifact is None:
            match self._builds.take(want, self._lease_seconds):
                case Failure() as failure:
                    raise RunFailed(failure.failure, failure.reason, _told(failure, wanted.run))
                case Underway() as other:
                    artifact = onlooker.wait(other)
                case fence:
                    artifact = self._build(wanted, Lease(want, fence))
        return artifact

    def keep_leases(self) -> None:
        """Called by the heartbeat."""
        for lease in list(self._leases.values()):
            if not self._builds.keep(lease.want, lease.fence, self._lease_seconds) and lease.fence in self._leases:
                logger.warning("build-lost run=%s key=%s: another agent builds it now", lease.want.run, lease.want.key)
                lease.is_lost = True

    def _want(self, wanted: Wanted) -> Want:
        run = wanted.run
        return Want(
            key=f"{wanted.builder.place}/{wanted.key}",
            id=uuid.uuid4().hex,
            agent=self._session.name,
            session=self._session.token,
            run=run.id,
            # A failure stands for runs that were launched before it. A run that is tried again wants another try.
            since=run.place if run.attempt == 1 else self._builds.clock(),
        )

    def _build(self, wanted: Wanted, lease: Lease) -> Artifact | None:
        """The artifact; None when another agent has the lease by now."""

        def write(lines: list[str]) -> None:
            self._logs.append(wanted.run.id, "build", lines)
            self._builds.tell(lease.want, lease.fence, lines)

        def must_end() -> bool:
            log.flush_if_due()
            return lease.is_lost or wanted.cancelled()

        log = BuildLog(write)
        ended, failure = Ended.LEFT, None
        self._leases[lease.fence] = lease
        try:
            # Between the first look for it and the lease, another one may have built it.
            artifact = wanted.find() or wanted.builder.build(wanted.order, wanted.key, log.add, must_end)
            ended = Ended.BUILT
        except RunFailed as error:
            if error.failure is FailureClass.BUILD:
                ended, failure = Ended.FAILED, _failure(error, wanted.run)
            raise
        except RunCancelled:
            if not lease.is_lost or wanted.cancelled():
                raise
            return None
        finally:
            log.flush()
            del self._leases[lease.fence]
            self._end(lease, ended, failure)
        return artifact

    def _end(self, lease: Lease, ended: Ended, failure: Failure | None) -> None:
        try:
            self._builds.end(lease.want, lease.fence, ended, failure)
        except TemporaryError as error:
            # What was built is found all the same, once the lease has ended by itself.
            logger.warning("build-untold run=%s: %s", lease.want.run, error)


class Onlooker:
    """A run that waits for another's build, and has in its log what that prints."""

    def __init__(self, builds: BuildStore, wanted: Wanted, key: str, write: Callable[[list[str]], None]) -> None:
        self._builds = builds
        self._wanted = wanted
        self._key = key
        self._log = BuildLog(write)
        self._other: Underway | None = None
        self._read_to = ""

    def wait(self, other: Underway) -> Artifact | None:
        """The artifact once another one has built it; None after a while, or when that build ended without one.

        Raises:
            RunCancelled: when the run waits no longer.
        """
        if other != self._other:
            self._other = other
            self._read_to = self._read_to or other.began
            self._log.add(f"waiting for agent {other.agent}, which builds the same for run {other.run}; it says:")
        try:
            return self._wanted.find() if self._is_built() else None
        finally:
            self._log.flush()

    def _is_built(self) -> bool:
        deadline = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < deadline:
            if self._wanted.cancelled():
                raise RunCancelled("cancelled while another agent built its image")
            for news in self._builds.read(self._key, self._read_to, READ_SECONDS):
                self._read_to = news.id
                for line in news.lines:
                    self._log.add(line)
                if news.ended:
                    return news.ended is Ended.BUILT
        return False


def _failure(error: RunFailed, run: Run) -> Failure:
    return Failure(failure=error.failure, reason=error.reason, text=str(error), run=run.id)


def _told(failure: Failure, run: Run) -> str:
    """The failure's text for a run, whose own try it may have been before its agent died."""
    if failure.run == run.id:
        return failure.text
    return f"{failure.text}\n(It was built for run {failure.run}, and this run wanted the same.)"
