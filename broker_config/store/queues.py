"""Queues in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.client import Pipeline

from broker_config.checks import refuse_errors
from broker_config.connection import TextClient, translated
from broker_config.errors import Conflict, NotFound, did_you_mean
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import State, now
from broker_config.store.keys import Keys


class QueueStore:
    """Create, read, edit, pause and delete queues."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def create(self, queue: Queue) -> QueueRecord:
        """Write a new queue.

        Raises:
            InvalidRequest: when something in its config cannot work.
            Conflict: when the name is taken.
        """
        refuse_errors(queue)
        time = now().isoformat()
        key = self._keys.queue(queue.name)
        fields = {"queue": queue.model_dump_json(), "created_at": time, "updated_at": time}
        with translated(self._client), self._client.pipeline() as pipe:
            # Revisions are never used again, so a producer that knows a deleted queue of this name finds out.
            pipe.hsetnx(key, "revision", self._new_revision())
            for name, value in fields.items():
                pipe.hsetnx(key, name, value)
            pipe.sadd(self._keys.queues, queue.name)
            is_new, *_ = pipe.execute()
        if not is_new:
            raise Conflict(f"queue {queue.name!r} exists; edit it, or choose another name")
        return self.get(queue.name)

    def edit(self, queue: Queue) -> QueueRecord:
        """Replace a queue's definition; runs that are queued keep the config they were enqueued with.

        Raises:
            InvalidRequest: when something in its config cannot work.
            NotFound: when there is no queue of that name.
        """
        # The one way in which a definition changes, so here its owner will be asked for. Until there are accounts, a
        # shared broker keeps others out: only `acl.owner` lets a user write a queue's key.
        refuse_errors(queue)
        with translated():
            revision = self._new_revision()
        return self._update(
            queue.name,
            {"queue": queue.model_dump_json(), "updated_at": now().isoformat(), "revision": revision},
        )

    def get(self, name: str) -> QueueRecord:
        """The queue of that name.

        Raises:
            NotFound: when there is none; the error names near misses.
        """
        with translated():
            fields = self._client.hgetall(self._keys.queue(name))
            if "queue" not in fields:
                known = self._client.smembers(self._keys.queues)
                raise NotFound(f"queue {name!r} does not exist{did_you_mean(name, known) or '; there is none yet'}")
        return _record(fields)

    def list(self) -> list[QueueRecord]:
        """All queues by name."""
        with translated():
            names = sorted(self._client.smembers(self._keys.queues))
            with self._client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hgetall(self._keys.queue(name))
                return [_record(fields) for fields in pipe.execute() if "queue" in fields]

    def counts(self, name: str) -> dict[State, int]:
        """How many runs of the queue are in each state; ended ones since the queue was made."""
        with translated():
            stored = self._client.hgetall(self._keys.queue_counts(name))
        return {state: int(stored.get(state, 0)) for state in State}

    def set_paused(self, name: str, paused: bool, reason: str = "") -> QueueRecord:
        """Stop or let agents take runs of the queue; enqueueing goes on, and running runs are not touched.

        Raises:
            NotFound: when there is no queue of that name.
        """
        return self._update(name, {"paused": int(paused), "pause_reason": reason if paused else ""})

    def paused(self, names: Sequence[str]) -> set[str]:
        """Those of the queues that are paused."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(self._keys.queue(name), "paused")
            return {name for name, flag in zip(names, pipe.execute(), strict=True) if flag == "1"}

    def delete(self, name: str) -> None:
        """Remove a queue that has no run waiting or live.

        Raises:
            NotFound: when there is no queue of that name.
            Conflict: when runs of it have not ended.
        """
        self.get(name)
        counts = self._keys.queue_counts(name)

        def delete(pipe: Pipeline) -> None:
            # Called anew when the counts change before it is carried out: an enqueue may come at any time.
            open_runs = sum(count for state, count in self.counts(name).items() if not state.is_terminal)
            if open_runs:
                raise Conflict(
                    f"queue {name!r} has {open_runs} runs that have not ended; cancel them or wait, then delete"
                )
            pipe.multi()
            pipe.delete(self._keys.queue(name), counts, self._keys.queue_waiting(name))
            pipe.srem(self._keys.queues, name)

        with translated():
            self._client.transaction(delete, counts)

    def _update(self, name: str, fields: dict[Any, str | int]) -> QueueRecord:
        self.get(name)
        key = self._keys.queue(name)

        def write(pipe: Pipeline) -> None:
            # A queue that was deleted meanwhile must not come back in part.
            if pipe.exists(key):
                pipe.multi()
                pipe.hset(key, mapping=fields)

        with translated():
            self._client.transaction(write, key)
        return self.get(name)

    def _new_revision(self) -> int:
        return int(self._client.incr(self._keys.revisions))


def _record(fields: dict[str, str]) -> QueueRecord:
    return QueueRecord(
        queue=Queue.model_validate_json(fields["queue"]),
        revision=int(fields["revision"]),
        created_at=fields["created_at"],  # type: ignore[arg-type]  # pydantic reads ISO 8601
        updated_at=fields["updated_at"],  # type: ignore[arg-type]
        paused=fields.get("paused") == "1",
        pause_reason=fields.get("pause_reason", ""),
    )
