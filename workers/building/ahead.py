"""Builds for runs that wait in the agent's queues, so that what they need is there when they are claimed.

They are not claimed for that, and take no run's place. The builds of claimed runs come first: each of them leaves room
for one less, and what is too much then is ended; the builder's cache keeps what was done of it.
"""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from broker_config.errors import TemporaryError
from broker_config.jobs import ImageSource
from broker_config.priorities import first_place
from broker_config.runs import Run
from broker_config.states import State
from broker_config.store.runs import RunStore
from workers.admission import Admission
from workers.building.builds import Builds
from workers.failures import RunCancelled, RunFailed
from workers.members import Members
from workers.prepare import Preparer
from workers.trust import Trust

logger = logging.getLogger(__name__)

LOOKED_AT = 50
"""Runs of each queue, those that leave it next."""

AGAIN_SECONDS = 15.0
"""Until a run is looked at again whose build met a passing trouble."""

REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the builds of claimed runs use as well."""

    runs: RunStore
    members: Members
    trust: Trust
    admission: Admission
    preparer: Preparer
    builds: Builds


@dataclass(frozen=True, slots=True)
class Errand:
    """A build for a run that waits."""

    run: Run
    ends: threading.Event  # set: it is to be ended
    future: Future[None]


class Ahead:
    """Looks for runs that wait, as the agent's heartbeat calls it, and builds in threads of its own."""

    def __init__(self, workshop: Workshop, queues: Callable[[], Iterable[str]], workspaces: Path, most: int) -> None:
        """`queues` are those from which the agent takes runs now; `most` is how many builds there may be at once."""
        self._workshop = workshop
        self._queues = queues
        self._workspaces = workspaces
        self._most = most
        self._pool = ThreadPoolExecutor(max(most, 1), thread_name_prefix="ahead")
        self._errands: list[Errand] = []
        self._look_again: OrderedDict[str, float] = OrderedDict()

    def look(self) -> None:
        """Begin builds for which there is room, and end those for which there is none any more."""
        ended = [errand for errand in self._errands if errand.future.done()]
        self._errands = [errand for errand in self._errands if not errand.future.done()]
        self._end_useless()
        room = self._most - self._workshop.builds.claimed - len(self._errands)
        for errand in self._errands[room:] if room < 0 else ():
            errand.ends.set()
        for run in self._waiting()[:room] if room > 0 else ():
            self._begin(run)
        for errand in ended:
            # A fault of ours is raised here, for the heartbeat to log.
            errand.future.result()

    def stop(self) -> None:
        """End what is under way."""
        for errand in self._errands:
            errand.ends.set()
        self._pool.shutdown()

    def _end_useless(self) -> None:
        """End the builds for runs that were cancelled, or have ended otherwise."""
        if self._errands:
            known = self._workshop.runs.get_many([errand.run.id for errand in self._errands])
            needed = {run.id for run in known if not run.state.is_terminal and not run.cancel_requested_by}
            for errand in self._errands:
                if errand.run.id not in needed:
                    errand.ends.set()

    def _waiting(self) -> list[Run]:
        """Runs for which a build may be begun, as they leave their queues."""
        at = time.monotonic()
        waiting = [run_id for queue in self._queues() for run_id in self._workshop.runs.waiting(queue, LOOKED_AT)]
        new = [run_id for run_id in waiting if self._look_again.get(run_id, 0.0) <= at]
        runs = self._workshop.runs.get_many(new) if new else []
        for run in runs:
            if not _is_built(run):
                self._remember(run, math.inf)
        return sorted(filter(_is_built, runs), key=lambda run: first_place(run.priority) + run.place)

    def _begin(self, run: Run) -> None:
        ends = threading.Event()
        self._remember(run, math.inf)
        self._errands.append(Errand(run, ends, self._pool.submit(self._carry_out, run, ends)))

    def _remember(self, run: Run, until: float) -> None:
        self._look_again[run.id] = until
        self._look_again.move_to_end(run.id)
        if len(self._look_again) > REMEMBERED:
            self._look_again.popitem(last=False)

    def _carry_out(self, run: Run, ends: threading.Event) -> None:
        # Named like the folders of attempts, so that what a crash leaves is removed with them.
        workspace = self._workspaces / f"ahead-{run.id}-{run.attempt}"
        try:
            self._build(run, workspace, ends)
        except RunFailed as error:
            # Its own attempt meets the same, and tells its author.
            logger.info("ahead-failed run=%s: %s", run.id, error)
        except RunCancelled as error:
            logger.info("ahead-ended run=%s: %s", run.id, error)
            if ends.is_set():
                # It gave way, and is the next one again; what took too long would do so again.
                self._remember(run, 0.0)
        except TemporaryError as error:
            logger.info("ahead-ended run=%s: %s", run.id, error)
            self._remember(run, time.monotonic() + AGAIN_SECONDS)
        finally:
            shutil.rmtree(workspace, ignore_errors=True)

    def _build(self, run: Run, workspace: Path, ends: threading.Event) -> None:
        shop = self._workshop
        run = shop.trust.genuine(run)
        kind = shop.members.target(run.spec.queue.resource).artifact
        shop.admission.admit(run, kind)
        deadline = time.monotonic() + (run.spec.timeouts.build or math.inf)
        must_end = partial(_must_end, ends, deadline)
        wanted = shop.preparer.look_ahead(run, kind, workspace, must_end)
        if wanted and shop.builds.make_ahead(wanted):
            logger.info("built-ahead run=%s key=%s", run.id, wanted.key)


def _must_end(ends: threading.Event, deadline: float) -> bool:
    return ends.is_set() or time.monotonic() >= deadline


def _is_built(run: Run) -> bool:
    """Whether something is built for a run as it stands in the record.

    What is tried again is not: its failure would be an older one than the wish of the attempt that follows.
    """
    job = run.spec.job
    is_ready = isinstance(job.source, ImageSource) or bool(job.base_image)
    return run.state is State.QUEUED and run.attempt == 1 and not is_ready
