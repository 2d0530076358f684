"""The client: launches jobs, and finds runs again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import Any, Unpack

from broker_config import sentinels
from broker_config.build_requests import BuildAnswer, BuildRequest
from broker_config.errors import CodeNotStored, InvalidRequest, LaunchyardError, NotFound, StaleWrite
from broker_config.frozen import parse
from broker_config.named_jobs import JobVersion
from broker_config.plans import Plan
from broker_config.queues import full_name
from broker_config.runs import Launch, Run, RunId, new_run_id
from broker_config.settings import Settings, load_settings
from broker_config.store import Store
from broker_config.store.enqueue import check_sizes
from broker_config.store.queues import QueueStore
from producer import planning
from producer.asking import ask
from producer.handle import RunHandle
from producer.launches import LaunchFields, Preparation, Prepared
from producer.named_jobs import Jobs
from producer.patience import ask_patiently
from producer.pinning import Pins
from producer.progress import Progress, Silent
from producer.storing import store
from producer.terms import Terms
from producer.variables import QueueHandle

ENQUEUE_ATTEMPTS = 10
"""How often a launch is tried anew when its queue is edited in the middle of it."""

FAILOVER_SECONDS = 60.0
"""How long a launch waits for a failover: longer than Sentinel's default of 30 s until it calls a server dead."""

Order = tuple[RunId, Prepared]


class Client:
    """A connection to one installation. Safe to share between threads.

    Queues are kept as they were read: a launch is then one round trip, in which the broker says whether the queue was
    edited since, and if so the launch is made again with the new one.
    """

    def __init__(self, settings: Settings | None = None, **overrides: Any) -> None:
        """Settings come from `settings`, else from the environment and files; `overrides` are laid over them.

        Raises:
            ConfigError: when a setting is wrong.
            BrokerUnavailable: when the embedded broker is needed and cannot be started.
        """
        if settings is None:
            self.settings = load_settings(**overrides)
        else:
            self.settings = parse(Settings, {**settings.model_dump(), **overrides}, "settings")
        self.store = Store(self.settings)
        self.progress: Progress = Silent()
        self._queues = self.store.queues.for_author()
        self._terms: dict[str, Terms] = {}
        # Behind Sentinel another server takes over by itself. One that stands alone may be away for ever.
        self._failover_seconds = FAILOVER_SECONDS if sentinels.read(self.settings.broker_url) else 0.0

    @property
    def queues(self) -> QueueStore:
        """Create, read, edit, pause and delete queues, but not other authors' private ones."""
        return self._queues

    @property
    def jobs(self) -> Jobs:
        """Create and read named jobs."""
        return Jobs(self.store, self.settings, self.progress)

    def close(self) -> None:
        """Close the connections."""
        self.store.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self, **fields: Unpack[LaunchFields]) -> RunHandle:
        """Put one job on a queue.

        `source` is a source, a folder, a git URL (`https://host/repository.git@ref`) or an image with its tag, and
        `job` in its place names a job that has one; `LaunchFields` tells of the others. With an `idempotency_key` that
        this queue knows, the run of the earlier launch is returned and nothing is written.

        Raises:
            InvalidRequest: when a field is wrong, or the queue could not take it. Nothing was written.
            NotFound: when there is no such queue or named job.
            NotPermitted: when the queue is private to another author, or the broker's user may not launch on it.
            Conflict: when the idempotency key stands for another launch.
            BrokerUnavailable: when the broker does not answer; behind Sentinel, for longer than a failover takes.
            BrokerFull: when the broker has no memory left. Nothing was written.
            NotReplicated: when it is written, and too few replicas have it.
        """
        return self.enqueue_many([fields])[0]

    def plan(self, *, diff: str | None = None, **fields: Unpack[LaunchFields]) -> Plan:
        """See what the target would be sent for a launch, which is not made. The fields are those of `launch`.

        `diff` is the id of an earlier run to compare with. Code is stored, as a launch would do.

        Raises:
            InvalidRequest, NotFound, BrokerUnavailable, NotPermitted: as for `launch`. What only the queue's owner or
                the target has against it is among the notes of the plan.
        """
        prepared, terms = self._considered(fields)
        earlier = self.run(diff).run.spec if diff else None
        return planning.make(prepared, terms, self.settings, earlier)

    def build(self, *, dockerfile_only: bool = False, **fields: Unpack[LaunchFields]) -> BuildAnswer:
        """Build the image of a launch on this machine, and launch nothing. The fields are those of `launch`.

        With `dockerfile_only` the answer is the Dockerfile, and nothing is built. A build's output goes to stderr.

        Raises:
            InvalidRequest, NotFound, BrokerUnavailable, NotPermitted: as for `launch`.
            LaunchyardError: when there is nothing to build, or the build failed; the text says why.
        """
        prepared, terms = self._considered(fields)
        terms.check([prepared.launch])
        spec = terms.spec(new_run_id(), prepared, self.settings.author, Pins())
        question = BuildRequest(spec=spec, dockerfile_only=dockerfile_only)
        answer = BuildAnswer.model_validate_json(ask("workers.build", question, self.settings, shows_stderr=True))
        if answer.error:
            raise LaunchyardError(answer.error)
        return answer

    def launch_plan(self, plan: Plan) -> RunHandle:
        """Make the launch that a plan shows, and no other one. Made twice it is one run.

        Raises:
            InvalidRequest: when the plan says that the launch cannot work.
            Conflict: when the queue was edited since, or the plan was changed.
            NotFound, TemporaryError: as for `launch`.
        """
        self._terms.pop(plan.launch.full_queue, None)
        terms = self._terms_of(plan.launch.full_queue)
        agreed = [(planning.spec_of(plan, terms), plan.launch)]
        enqueue = partial(self.store.runs.enqueue, terms.record, agreed, self.settings.max_message_bytes)
        (run_id,) = ask_patiently(enqueue, time.monotonic() + self._failover_seconds)
        return self._handle(run_id)

    def enqueue_many(self, launches: Iterable[Launch | LaunchFields]) -> list[RunHandle]:
        """Put many jobs on their queues; the handles are in the order given.

        All are checked before the first is written. Each queue's runs are written in steps of several hundred.

        Raises:
            InvalidRequest, NotFound, Conflict, TemporaryError, NotPermitted: as for `launch`. Of a broker that fails in
                the middle, an error may leave the first steps written; with idempotency keys, launch all of them again.
        """
        preparation = self._preparation()
        orders = [(new_run_id(), preparation.prepare(launch)) for launch in launches]
        # The ids are made, so what was written before a failover is not written again after it.
        written = ask_patiently(partial(self._write, orders, Pins()), time.monotonic() + self._failover_seconds)
        return [self._handle(written[run_id]) for run_id, _ in orders]

    def _write(self, orders: list[Order], pins: Pins) -> dict[RunId, RunId]:
        """Check and write. Returns, for each id, the run that there is now: an earlier one where its key was known."""
        by_queue: dict[str, list[Order]] = {}
        for order in orders:
            by_queue.setdefault(order[1].launch.full_queue, []).append(order)
        terms = self._check(by_queue, pins)
        self._store_code(orders)
        written: dict[RunId, RunId] = {}
        for queue, group in by_queue.items():
            written.update(zip((run_id for run_id, _ in group), self._enqueue(terms[queue], group, pins), strict=True))
        return written

    def _store_code(self, orders: list[Order]) -> bool:
        """Store the archives of these launches. Returns whether there is one."""
        archives = {id(prepared.archive): prepared.archive for _, prepared in orders if prepared.archive}
        for archive in archives.values():
            store(self.store.code, archive, self.progress)
        return bool(archives)

    def _check(self, by_queue: dict[str, list[Order]], pins: Pins) -> dict[str, Terms]:
        checked: dict[str, Terms] = {}
        for queue, group in by_queue.items():
            checked[queue] = self._checked(queue, group)
            # For a single queue the store does the same before it writes, and need not do it twice.
            if len(by_queue) > 1:
                specs = (checked[queue].spec(*order, self.settings.author, pins) for order in group)
                check_sizes(specs, self.settings.max_message_bytes)
        return checked

    def queue(self, name: str) -> QueueHandle:
        """The queue of that name, as it is now.

        Raises:
            NotFound: when there is none; the error names near misses.
        """
        name = full_name(name)
        self._terms.pop(name, None)
        return QueueHandle(self._terms_of(name).record)

    def run(self, id_or_prefix: str) -> RunHandle:
        """The run of that id, or whose id alone begins like that.

        Raises:
            NotFound: when there is none, or it is on a private queue of another author.
            InvalidRequest: when there are several.
        """
        found = self.store.runs.find(id_or_prefix)
        if found.spec.queue.is_hidden_from(self.settings.author):
            raise NotFound(f"run {id_or_prefix!r} is on a private queue of {found.spec.queue.entity!r}")
        return self._handle(found.id, found)

    def runs(self) -> Iterator[RunHandle]:
        """All runs that are kept, newest first."""
        for run in self.store.runs.newest():
            if run.spec.queue.is_hidden_from(self.settings.author):
                continue
            yield self._handle(run.id, run)

    def _handle(self, run_id: RunId, run: Run | None = None) -> RunHandle:
        return RunHandle(self.store, run_id, self.settings.author, run)

    def _preparation(self) -> Preparation:
        return Preparation(self.settings.largest_code_bytes, self.progress, self._find_job)

    def _find_job(self, reference: str, queue: str) -> JobVersion:
        return self.jobs.get(reference, self._terms_of(queue).record.queue.entity)

    def _considered(self, fields: LaunchFields) -> tuple[Prepared, Terms]:
        """A launch that is checked and not made, its code in the store, and the terms of its queue as it is now."""
        prepared = self._preparation().prepare(fields)
        if prepared.archive:
            store(self.store.code, prepared.archive, self.progress)
        self._terms.pop(prepared.launch.full_queue, None)
        return prepared, self._terms_of(prepared.launch.full_queue)

    def _terms_of(self, queue: str) -> Terms:
        if queue not in self._terms:
            self._terms[queue] = Terms(self._queues.get(queue))
        return self._terms[queue]

    def _checked(self, queue: str, group: list[Order]) -> Terms:
        """The queue's terms, which all these launches meet."""
        launches = [prepared.launch for _, prepared in group]
        terms = self._terms_of(queue)
        try:
            terms.check(launches)
        except InvalidRequest:
            # Judged by a record that may be old: the cure may have been applied meanwhile.
            self._terms.pop(queue, None)
            terms = self._terms_of(queue)
            terms.check(launches)
        terms.check_overrides(launches)
        return terms

    def _enqueue(self, terms: Terms, group: list[Order], pins: Pins) -> list[RunId]:
        queue = terms.record.name
        for _ in range(ENQUEUE_ATTEMPTS):
            specs = [(terms.spec(*order, self.settings.author, pins), order[1].launch) for order in group]
            try:
                return self.store.runs.enqueue(terms.record, specs, self.settings.max_message_bytes)
            except CodeNotStored:
                # It was stored so long ago that it was swept away: this process was stopped, or a failover took it.
                if not self._store_code(group):
                    raise
            except (StaleWrite, NotFound):
                # The ids stay the same, so what an earlier step wrote already is not written again. A queue that is
                # gone is told about by the next look, which names near misses.
                self._terms.pop(queue, None)
                terms = self._checked(queue, group)
        raise StaleWrite(f"queue {queue!r} was edited {ENQUEUE_ATTEMPTS} times while the launch was made; try again")


@cache
def default_client() -> Client:
    """The client of the module-level functions, with the settings of the environment; made on first use."""
    return Client()


def launch(**fields: Unpack[LaunchFields]) -> RunHandle:
    """Put one job on a queue, with the settings of the environment. See `Client.launch`."""
    return default_client().launch(**fields)
