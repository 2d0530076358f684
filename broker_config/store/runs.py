"""Runs in the store: the record is the truth, and each change of it is one atomic step with its event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from redis.commands.core import Script

from broker_config import messages, results
from broker_config.connection import TextClient, translated
from broker_config.errors import InvalidRequest, NotFound, StaleWrite
from broker_config.priorities import first_place, list_key
from broker_config.queues import QueueRecord
from broker_config.runs import RUN_ID_PREFIX, Event, Launch, Reason, Run, RunId, RunSpec, State, may_change, now
from broker_config.store import streams
from broker_config.store.alarms import milliseconds
from broker_config.store.enqueue import Enqueuer
from broker_config.store.keys import Keys
from broker_config.store.orders import Orders
from broker_config.store.replication import Replication

CHANGE_ATTEMPTS = 50


class Claimed(StrEnum):
    """How a claim ended."""

    CLAIMED = "claimed"
    NOT_QUEUED = "not-queued"  # another delivery was first, or the run has ended
    UNKNOWN = "unknown"  # no such run: expired, or never enqueued by a producer of ours
    HELD = "held"  # until its time, or until other runs have succeeded
    PAUSED = "paused"
    QUEUE_FULL = "queue-full"  # as many runs as its queue lets run at once are live
    AUTHOR_FULL = "author-full"  # the same for its author; it is held now
    LEASE_LOST = "lease-lost"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a run's record, and the event that tells of it. `state` may be the present one: a note."""

    state: State
    reason: Reason
    text: str
    actor: str
    fields: dict[str, Any] = field(default_factory=dict)
    fence: int | None = None  # of the agent that writes; None for a writer that holds no claim
    wish: bool = False  # wake the agent that holds the run


class RunStore:
    """Enqueue, claim, change and read runs."""

    def __init__(
        self,
        client: TextClient,
        keys: Keys,
        scripts: dict[str, Script],
        retention_seconds: int,
        replication: Replication,
    ) -> None:
        self._client = client
        self._keys = keys
        self._scripts = scripts
        self._retention_seconds = retention_seconds
        self._orders = Orders(client, keys)
        self._enqueuer = Enqueuer(client, keys, scripts["enqueue"], retention_seconds, replication)
        self._replication = replication

    def enqueue(self, record: QueueRecord, launches: Sequence[tuple[RunSpec, Launch]], max_bytes: int) -> list[RunId]:
        """Write new runs of one queue and author, each with its record, event and message in one step.

        Returns the ids in the order given; an idempotency key that is known gives the earlier run's id. Many runs are
        written in several steps: after an error, call it again with the same specs, and none is written twice.

        Raises:
            InvalidRequest: when a run is larger than `max_bytes`; then none is written.
            NotFound: when the queue is gone.
            StaleWrite: when the queue was edited since `record` was read.
            QueueFull: when the queue, or the author on it, has as many runs waiting as it may have. Of a launch in
                several steps that others overtook, the first ones may be written.
            CodeNotStored: when the code archive of a run is not in the store.
            Conflict: when an idempotency key stands for another launch, or the queue is being deleted.
            BrokerFull: when the broker has no memory left for them.
            NotReplicated: when too few replicas have them. They are enqueued all the same.
        """
        return self._enqueuer.enqueue(record, launches, max_bytes)

    def claim(self, spec: RunSpec, agent: str, fence: int, session: str) -> tuple[Claimed, Run | None]:
        """Give a queued run to an agent session.

        `spec` is the message's, and says only which run and queue are meant. The run is returned as it is stored, when
        it is known.
        """
        with translated():
            outcome, *reply = self._scripts["claim"](
                keys=self._claim_keys(spec, agent),
                args=[
                    spec.id,
                    agent,
                    fence,
                    session,
                    now().isoformat(),
                    f"Taken by agent {agent}.",
                    results.started(spec.id, agent),
                    self._retention_seconds,
                    spec.queue.full_name,
                    spec.author,
                    first_place(spec.priority),
                ],
            )
        if not reply:
            return Claimed(outcome), None
        stored, *flat = reply
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return Claimed(outcome), _run(RunSpec.model_validate_json(stored), fields)

    def _claim_keys(self, spec: RunSpec, agent: str) -> list[str]:
        keys, queue = self._keys, spec.queue.full_name
        return [
            *(keys.run(spec.id), keys.queue(queue), keys.queue_waiting(queue), keys.queue_counts(queue)),
            *(keys.run_events(spec.id), keys.agent_runs(agent), keys.agent_lease(agent), results.key(spec.id)),
            *(keys.alarms, keys.run_spec(spec.id), keys.queue_authors(queue), keys.queue_held(queue, spec.author)),
        ]

    def change(self, run: Run, change: Change) -> Run:
        """Write a change that was decided on `run`. Returns the run as it is now.

        Raises:
            StaleWrite: when the record changed since, or the fence is not the claim's any more.
            ValueError: when the state machine has no such transition.
        """
        if run.state.is_terminal or (change.state is not run.state and not may_change(run.state, change.state)):
            raise ValueError(f"run {run.id} cannot go from {run.state} to {change.state}")
        at = now()
        fields = dict(change.fields)
        if change.state.is_terminal:
            fields["ended_at"] = at
        if _is_requeue(run, change):
            # The fence of the claim that ends here is worth nothing any more.
            fields["fence"] = 0
        with translated():
            version = self._scripts["change"](
                keys=self._change_keys(run, fields), args=self._change_arguments(run, change, at, fields)
            )
        if not version:
            raise StaleWrite(f"run {run.id} changed since version {run.version} was read")
        return _after(run, change, at, fields).model_copy(update={"version": version})

    def _change_keys(self, run: Run, fields: dict[str, Any]) -> list[str]:
        keys, queue = self._keys, run.spec.queue.full_name
        return [
            keys.run(run.id),
            keys.run_spec(run.id),
            keys.run_events(run.id),
            keys.run_logs(run.id),
            keys.queue_waiting(queue),
            keys.queue_counts(queue),
            keys.agent_runs(run.agent),
            keys.ended,
            keys.wishes,
            list_key(queue, run.spec.priority),
            results.key(run.id),
            # A run that no agent holds is in no agent's set: the change takes it out of the old one's.
            keys.agent_runs(fields.get("agent") or run.agent),
            keys.alarms,
            keys.run_dependents(run.id),
            *(keys.queue(queue), keys.queue_authors(queue), keys.queue_held(queue, run.spec.author)),
            *(keys.archives, keys.archive_holders(run.spec.job.archive)),
        ]

    def _change_arguments(self, run: Run, change: Change, at: datetime, fields: dict[str, Any]) -> list[Any]:
        message = result = ""
        after = _after(run, change, at, fields)
        if _is_ordered(run, after):
            message = messages.encode(run.spec, run.spec.model_dump_json())
        if change.state.is_terminal:
            result = results.ended(run.id, change.state, change.text, fields.get("exit_code"), at)
        return [
            run.id,
            run.version,
            "" if change.fence is None else change.fence,
            at.isoformat(),
            change.actor,
            change.state,
            change.reason,
            change.text,
            self._retention_seconds,
            time.time_ns() // 1000,
            "wish" if change.wish else "",
            message,
            result,
            milliseconds(after.alarm) if after.state is State.QUEUED and after.alarm else "",
            first_place(run.spec.priority),
            run.spec.author,
            run.spec.job.archive,
            *(part for name, value in fields.items() for part in (name, _text(value))),
        ]

    def change_until_written(self, run: Run, decide: Callable[[Run], Change | None]) -> Run:
        """Change a run whatever others write meanwhile: `decide` is asked again with each newer record.

        `decide` returns None when nothing is left to do, for instance because the run has ended.

        Raises:
            NotFound: when the record has expired.
            StaleWrite: when the change carries a fence that is not the claim's any more, or a failover lost the run.
        """
        for _ in range(CHANGE_ATTEMPTS):
            change = decide(run)
            if change is None:
                return run
            try:
                return self.change(run, change)
            except StaleWrite:
                found = self.get_many([run.id])
                if change.fence is not None and [other.fence for other in found] != [change.fence]:
                    raise
                run = found[0] if found else self.get(run.id)
        raise StaleWrite(f"run {run.id} kept changing while it was written {CHANGE_ATTEMPTS} times")

    def wait_for_replicas(self, run: Run) -> None:
        """Return when as many replicas as the settings ask for have the run's record as it was written here.

        Raises:
            NotReplicated: when they have not in time.
            StaleWrite: when a failover lost the record, or it is another session's.
        """
        self._replication.wait_for(run)

    def request_cancel(self, run: Run, actor: str) -> Run:
        """Write the wish to cancel. A queued run is cancelled at once; an ended one stays as it is."""

        def decide(run: Run) -> Change | None:
            if run.state.is_terminal or run.cancel_requested_by:
                return None
            wish = {"cancel_requested_by": actor}
            if run.state is State.QUEUED:
                text = f"Cancelled by {actor} before an agent took it."
                return Change(State.CANCELLED, Reason.CANCELLED_BY_USER, text, actor, {**wish, "failure": "cancelled"})
            return Change(
                run.state, Reason.CANCEL_REQUESTED, f"{actor} asked to cancel the run.", actor, wish, wish=True
            )

        return self.change_until_written(run, decide)

    def send_again(self, spec: RunSpec) -> None:
        """Send the order of a queued run again, in front: its first message was lost."""
        self._orders.send_again(spec)

    def get(self, run_id: str) -> Run:
        """The run of that id.

        Raises:
            NotFound: when there is none, or its record has expired.
        """
        runs = self.get_many([run_id])
        if not runs:
            raise NotFound(f"run {run_id!r} does not exist, or ended longer ago than records are kept")
        return runs[0]

    def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        """The runs of those ids that exist, in the order given."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for run_id in run_ids:
                pipe.hgetall(self._keys.run(run_id))
                pipe.get(self._keys.run_spec(run_id))
            replies = pipe.execute()
        return [
            _run(RunSpec.model_validate_json(spec), fields)
            for fields, spec in zip(replies[::2], replies[1::2], strict=True)
            if fields and spec
        ]

    def find(self, prefix: str) -> Run:
        """The run whose id begins with `prefix`.

        Raises:
            NotFound: when there is none.
            InvalidRequest: when there are several.
        """
        # What is typed by a person must not become another key's name, or a pattern.
        if not RUN_ID_PREFIX.fullmatch(prefix):
            raise NotFound(f"no run begins with {prefix!r}; a run id has small letters and digits")
        if runs := self.get_many([prefix]):
            return runs[0]
        with translated():
            found = [run_id for run_id, _ in self._client.zscan_iter(self._keys.runs, match=f"{prefix}*", count=1000)]
        if len(found) > 1:
            raise InvalidRequest(f"{len(found)} runs begin with {prefix!r}; give more of the id")
        return self.get(found[0] if found else prefix)

    def newest(self) -> Iterator[Run]:
        """All runs, newest first."""
        page = 200
        start = 0
        while True:
            with translated():
                ids = self._client.zrevrange(self._keys.runs, start, start + page - 1)
            if not ids:
                return
            yield from self.get_many(ids)
            start += page

    def waiting(self, queue: str, limit: int) -> list[RunId]:
        """The runs of a queue that are the next to leave it: by priority, then the longest waiting first."""
        with translated():
            return [RunId(run_id) for run_id in self._client.zrange(self._keys.queue_waiting(queue), 0, limit - 1)]

    def overtaken(self, queue: str, limit: int = 1000) -> list[RunSpec]:
        """Queued runs whose order is not in the broker where it must be: it is lost, or in an agent's hands just now.

        Up to `limit` of each priority, the longest waiting first.
        """
        return [run.spec for run in self.get_many(self._orders.overtaken(queue, limit))]

    def held_by(self, agent: str) -> list[Run]:
        """The live runs that an agent holds."""
        with translated():
            ids = sorted(self._client.smembers(self._keys.agent_runs(agent)))
        return self.get_many(ids)

    def events(self, run_id: str, after: str = "0-0", block_seconds: float | None = None) -> list[tuple[str, Event]]:
        """A run's events after a stream position, oldest first; waits up to `block_seconds` for one."""
        block = streams.block(block_seconds)
        with translated():
            reply: Any = self._client.xread({self._keys.run_events(run_id): after}, count=1000, block=block)
        return [(entry_id, streams.event(fields)) for entry_id, fields in streams.entries(reply)]

    def wishes(self, after: str, block_seconds: float) -> tuple[str, list[RunId]]:
        """Runs whose record got a wish after that position of the stream; waits for one."""
        with translated():
            reply: Any = self._client.xread({self._keys.wishes: after}, count=1000, block=streams.block(block_seconds))
        entries = streams.entries(reply)
        return (entries[-1][0] if entries else after), [RunId(fields["run"]) for _, fields in entries]

    def wishes_position(self) -> str:
        """The position of the newest wish."""
        with translated():
            newest = self._client.xrevrange(self._keys.wishes, count=1)
        return str(newest[0][0]) if newest else "0-0"

    def forget_expired(self) -> int:
        """Drop what is left of runs whose records have expired, such as index entries. Returns how many runs."""
        until = (time.time_ns() // 1000) - self._retention_seconds * 1_000_000
        with translated():
            ids = self._client.zrangebyscore(self._keys.ended, "-inf", until, start=0, num=1000)
            if ids:
                with self._client.pipeline() as pipe:
                    pipe.zrem(self._keys.runs, *ids)
                    pipe.zrem(self._keys.ended, *ids)
                    # Log lines that came after the run's end have no expiry of their own.
                    pipe.unlink(*(key for run_id in ids for key in self._keys.of_run(run_id)))
                    pipe.execute()
        return len(ids)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _run(spec: RunSpec, fields: dict[str, str]) -> Run:
    return Run.model_validate({**fields, "spec": spec})


def _after(run: Run, change: Change, at: datetime, fields: dict[str, Any]) -> Run:
    """The run as the change leaves it."""
    moved = {"state": change.state, "since": at} if change.state is not run.state else {}
    return run.model_copy(update={**fields, **moved, "reason": change.reason, "text": change.text})


def _is_ordered(run: Run, after: Run) -> bool:
    """Whether a change gives the run an order: it goes back to its queue, or is held no longer."""
    return after.state is State.QUEUED and not after.hold and (run.state is not State.QUEUED or run.hold is not None)


def _is_requeue(run: Run, change: Change) -> bool:
    return change.state is State.QUEUED and run.state is not State.QUEUED
