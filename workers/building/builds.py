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
from dataclasses import asdict, dataclass, replace
from functools import partial

from broker_config.errors import TemporaryError
from broker_config.images import Image, ImageOrigin, ImageStep
from broker_config.runs import Run, now
from broker_config.states import FailureClass
from broker_config.store import Store
from broker_config.store.builds import Ended, Failure, Underway, Want
from workers.builders.protocol import Artifact
from workers.building.log import BuildLog, summary
from workers.building.onlooker import Onlooker
from workers.building.wanted import Made, Wanted
from workers.failures import RunCancelled, RunFailed
from workers.session import Session

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """The right to build."""

    want: Want
    fence: int
    is_ahead: bool = False  # its run is not claimed
    is_lost: bool = False  # another agent has it


class Builds:
    """The builds of this agent, and those of others that its runs wait for."""

    def __init__(self, store: Store, session: Session, lease_seconds: float) -> None:
        self._builds = store.builds
        self._images = store.images
        self._logs = store.logs
        self._session = session
        self._lease_seconds = lease_seconds
        self._leases: dict[int, Lease] = {}

    def reuse(self, wanted: Wanted) -> Made | None:
        """What the run needs, if it is there."""
        artifact = wanted.find()
        if artifact is None:
            return None
        self._images.touch(wanted.id)
        return Made(artifact, ImageOrigin.BASE if artifact.is_base else ImageOrigin.REUSED)

    def make(self, wanted: Wanted) -> Made:
        """What the run needs, once it is there: built here, or by another agent that was first.

        Raises:
            RunFailed: when the build failed, here or for another run.
            RunCancelled, TemporaryError: as the builder does.
        """
        want, began = self._want(wanted), time.monotonic()
        onlooker = Onlooker(self._builds, wanted, want.key, partial(self._logs.append, wanted.run.id, "build"))
        made = None
        while made is None:
            match self._builds.take(want, self._lease_seconds):
                case Failure() as failure:
                    raise RunFailed(failure.failure, failure.reason, _told(failure, wanted.run))
                case Underway() as other:
                    made = onlooker.wait(other)
                case fence:
                    made = self._build(wanted, Lease(want, fence))
        return replace(made, seconds=time.monotonic() - began)

    def make_ahead(self, wanted: Wanted) -> bool:
        """Build for a run that waits in its queue. False: it is there, is built by another one, or cannot be built.

        Raises:
            RunFailed, RunCancelled, TemporaryError: as the builder does.
        """
        if self.reuse(wanted):
            return False
        want = self._want(wanted)
        taken = self._builds.take(want, self._lease_seconds)
        if not isinstance(taken, int):
            return False
        told = f"building ahead on agent {self._session.name}, while the run waits"
        self._logs.append(wanted.run.id, "build", [told])
        made = self._build(wanted, Lease(want, taken, is_ahead=True))
        return made is not None and made.origin is ImageOrigin.BUILT

    @property
    def claimed(self) -> int:
        """How many builds are under way here for runs that this agent has claimed."""
        return sum(not lease.is_ahead for lease in list(self._leases.values()))

    def keep_leases(self) -> None:
        """Called by the heartbeat."""
        for lease in list(self._leases.values()):
            if not self._builds.keep(lease.want, lease.fence, self._lease_seconds) and lease.fence in self._leases:
                logger.warning("build-lost run=%s key=%s: another agent builds it now", lease.want.run, lease.want.key)
                lease.is_lost = True

    def _want(self, wanted: Wanted) -> Want:
        run = wanted.run
        return Want(
            key=wanted.id,
            id=uuid.uuid4().hex,
            agent=self._session.name,
            session=self._session.token,
            run=run.id,
            # A failure stands for runs that were launched before it. A run that is tried again wants another try.
            since=run.place if run.attempt == 1 else self._builds.clock(),
        )

    def _build(self, wanted: Wanted, lease: Lease) -> Made | None:
        """What was built; None when another agent has the lease by now."""
        ended, failure = Ended.LEFT, None
        self._leases[lease.fence] = lease
        try:
            # Between the first look for it and the lease, another one may have built it.
            made = self.reuse(wanted) or Made(self._carry_out(wanted, lease), ImageOrigin.BUILT)
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
            del self._leases[lease.fence]
            self._end(lease, ended, failure)
        return made

    def _carry_out(self, wanted: Wanted, lease: Lease) -> Artifact:
        def write(lines: list[str]) -> None:
            self._logs.append(wanted.run.id, "build", lines)
            self._builds.tell(lease.want, lease.fence, lines)

        def must_end() -> bool:
            log.flush_if_due()
            return lease.is_lost or wanted.cancelled()

        log, began = BuildLog(write), time.monotonic()
        try:
            artifact = wanted.builder.build(wanted.order, wanted.key, log.add, must_end)
            seconds = time.monotonic() - began
            for line in summary(artifact, seconds):
                log.add(line)
        finally:
            log.flush()
        self._record(wanted, lease, artifact, seconds)
        return artifact

    def _record(self, wanted: Wanted, lease: Lease, artifact: Artifact, seconds: float) -> None:
        image = Image(
            key=wanted.key,
            place=wanted.builder.place,
            reference=artifact.reference,
            size_bytes=artifact.size_bytes,
            source=wanted.run.spec.job.source,
            run=wanted.run.id,
            agent=self._session.name,
            built_at=now(),
            seconds=seconds,
            steps=tuple(ImageStep.model_validate(asdict(step)) for step in artifact.steps),
            last_used=now(),
        )
        try:
            # Asked once more: who was overtaken has nothing to say of it.
            if self._builds.keep(lease.want, lease.fence, self._lease_seconds):
                self._images.record(image)
        except TemporaryError as error:
            # The record is for people. The image is found without it.
            logger.warning("image-unrecorded run=%s: %s", wanted.run.id, error)

    def _end(self, lease: Lease, ended: Ended, failure: Failure | None) -> None:
        try:
            self._builds.end(lease.want, lease.fence, ended, failure)
        except TemporaryError as error:
            # What was built is found all the same, once the lease has ended by itself.
            logger.warning("build-untold run=%s: %s", lease.want.run, error)


def _failure(error: RunFailed, run: Run) -> Failure:
    return Failure(failure=error.failure, reason=error.reason, text=str(error), run=run.id)


def _told(failure: Failure, run: Run) -> str:
    """The failure's text for a run, whose own try it may have been before its agent died."""
    if failure.run == run.id:
        return failure.text
    return f"{failure.text}\n(It was built for run {failure.run}, and this run wanted the same.)"
