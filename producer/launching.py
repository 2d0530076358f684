"""Launches on the broker, for one author: each is checked against its queue, written down and ordered in one step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from broker_config import sentinels
from broker_config.errors import CodeNotStored, InvalidRequest, NotFound, StaleWrite
from broker_config.plans import Plan
from broker_config.runs import RunId, RunSpec
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.enqueue import check_sizes
from producer import planning
from producer.launches import NewRun
from producer.patience import ask_patiently
from producer.pinning import Pins
from producer.terms import Terms

T = TypeVar("T")

ENQUEUE_ATTEMPTS = 10
"""How often a launch is tried anew when its queue is edited in the middle of it."""

FAILOVER_SECONDS = 60.0
"""How long a launch waits for a failover: longer than Sentinel's default of 30 s until it calls a server dead."""


class Launcher:
    """Safe to share between threads.

    Queues are kept as they were read: a launch is then one round trip, in which the broker says whether the queue was
    edited since, and if so the launch is made again with the new one.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._runs = store.runs
        self._settings = settings
        self._queues = store.queues.for_author(settings.author)
        self._terms: dict[str, Terms] = {}
        # Behind Sentinel another server takes over by itself. One that stands alone may be away for ever.
        self._failover_seconds = FAILOVER_SECONDS if sentinels.read(settings.broker_url) else 0.0

    def check(self, runs: Sequence[NewRun]) -> None:
        """Whether their queues take these runs; nothing is written.

        Raises:
            InvalidRequest, NotFound, NotPermitted, TemporaryError: as for `enqueue`.
        """
        for queue, group in _by_queue(runs).items():
            self._checked(queue, group)

    def enqueue(self, runs: Sequence[NewRun]) -> list[RunId]:
        """Write runs. Returns, for each, the run that there is now: an earlier one where its idempotency key was known.

        All are checked before the first is written. What was written before is not written again.

        Raises:
            InvalidRequest, NotFound, NotPermitted, Conflict, TemporaryError: as `Client.enqueue_many` says.
            CodeNotStored: when the code of one of them is not in the store.
        """
        return self._patiently(partial(self._write, runs, Pins()))

    def enqueue_plan(self, plan: Plan) -> RunId:
        """Write the run that a plan shows, and no other one.

        Raises:
            InvalidRequest, Conflict, NotFound, TemporaryError: as `Client.launch_plan` says.
        """
        terms = self._anew(plan.launch.full_queue)
        agreed = [(planning.spec_of(plan, terms), plan.launch)]
        enqueue = partial(self._runs.enqueue, terms.record, agreed, self._settings.max_message_bytes)
        (run_id,) = self._patiently(enqueue)
        return run_id

    def plan(self, run: NewRun, earlier: RunSpec | None = None) -> Plan:
        """What the target would be sent for a run, compared with an earlier one.

        Raises:
            InvalidRequest, NotFound, NotPermitted, TemporaryError: as `Client.plan` says.
        """
        return planning.make(run, self._anew(run.launch.full_queue), self._settings, earlier)

    def spec(self, run: NewRun) -> RunSpec:
        """What an agent would carry out.

        Raises:
            InvalidRequest, NotFound, NotPermitted, TemporaryError: as for `enqueue`.
        """
        terms = self._anew(run.launch.full_queue)
        terms.check([run.launch])
        return terms.spec(run, self._settings.author, Pins())

    def _patiently(self, write: Callable[[], T]) -> T:
        return ask_patiently(write, time.monotonic() + self._failover_seconds)

    def _write(self, runs: Sequence[NewRun], pins: Pins) -> list[RunId]:
        by_queue = _by_queue(runs)
        terms = {queue: self._checked(queue, group) for queue, group in by_queue.items()}
        # For a single queue the store does the same before it writes, and need not do it twice.
        if len(by_queue) > 1:
            for queue, group in by_queue.items():
                specs = (terms[queue].spec(run, self._settings.author, pins) for run in group)
                check_sizes(specs, self._settings.max_message_bytes)
        written: dict[RunId, RunId] = {}
        for queue, group in by_queue.items():
            written.update(zip((run.id for run in group), self._enqueue(terms[queue], group, pins), strict=True))
        return [written[run.id] for run in runs]

    def _enqueue(self, terms: Terms, group: Sequence[NewRun], pins: Pins) -> list[RunId]:
        queue = terms.record.name
        for _ in range(ENQUEUE_ATTEMPTS):
            specs = [(terms.spec(run, self._settings.author, pins), run.launch) for run in group]
            try:
                return self._runs.enqueue(terms.record, specs, self._settings.max_message_bytes)
            except CodeNotStored:
                raise
            except (StaleWrite, NotFound):
                # The ids stay the same, so what an earlier step wrote already is not written again. A queue that is
                # gone is told about by the next look, which names near misses.
                self._terms.pop(queue, None)
                terms = self._checked(queue, group)
        raise StaleWrite(f"queue {queue!r} was edited {ENQUEUE_ATTEMPTS} times while the launch was made; try again")

    def _checked(self, queue: str, group: Sequence[NewRun]) -> Terms:
        """The queue's terms, which all these launches meet."""
        launches = [run.launch for run in group]
        terms = self._terms_of(queue)
        try:
            terms.check(launches)
        except InvalidRequest:
            # Judged by a record that may be old: the cure may have been applied meanwhile.
            terms = self._anew(queue)
            terms.check(launches)
        terms.check_overrides(launches)
        return terms

    def _terms_of(self, queue: str) -> Terms:
        if queue not in self._terms:
            self._terms[queue] = Terms(self._queues.get(queue))
        return self._terms[queue]

    def _anew(self, queue: str) -> Terms:
        self._terms.pop(queue, None)
        return self._terms_of(queue)


def _by_queue(runs: Sequence[NewRun]) -> dict[str, list[NewRun]]:
    groups: dict[str, list[NewRun]] = {}
    for run in runs:
        groups.setdefault(run.launch.full_queue, []).append(run)
    return groups
