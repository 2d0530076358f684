"""Queues in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from redis.client import Pipeline
from redis.commands.core import Script

from broker_config.checks import refuse_errors
from broker_config.connection import Entry, TextClient, translated
from broker_config.errors import Conflict, NotFound, NotPermitted, did_you_mean
from broker_config.priorities import PLACES, Priority, first_place
from broker_config.queues import LIMITS, Queue, QueueRecord, full_name
from broker_config.revisions import QueueRevision
from broker_config.runs import now
from broker_config.states import State
from broker_config.store.keys import Keys

REVISIONS_KEPT = 100
"""Revisions of one queue that are kept; older ones are forgotten."""


class QueueStore:
    """Create, read, edit, pause and delete queues."""

    def __init__(self, client: TextClient, keys: Keys, script: Script, author: str) -> None:
        self._client = client
        self._keys = keys
        self._script = script
        self._author = author
        self._hides_private = False

    def for_author(self, author: str) -> QueueStore:
        """The same queues as an author sees and changes them: without the private ones of others."""
        seen = QueueStore(self._client, self._keys, self._script, author)
        seen._hides_private = True
        return seen

    def create(self, queue: Queue) -> QueueRecord:
        """Write a new queue.

        Raises:
            InvalidRequest: when something in its config cannot work.
            Conflict: when the name is taken.
            NotPermitted: when it would be private to another author.
        """
        refuse_errors(queue)
        self.check_author(queue)
        outcome, *_ = self._write("create", queue)
        if outcome == "taken":
            raise Conflict(f"queue {queue.full_name!r} exists; edit it, or choose another name")
        return self.get(queue.full_name)

    def edit(self, queue: Queue, expected: int | None = None, note: str = "") -> QueueRecord:
        """Replace a queue's definition; runs that are queued keep the config they were enqueued with.

        With `expected`, only while the queue is at that revision, so that nobody's edit is overwritten unseen. The
        note is kept with the revision.

        Raises:
            InvalidRequest: when something in its config cannot work.
            NotFound: when there is no queue of that name.
            Conflict: when the queue is at another revision than `expected`.
            NotPermitted: when it is, or would be, private to another author.
        """
        # The one way in which a definition changes, so here its owner will be asked for. Until there are accounts, a
        # shared broker keeps others out: only `acl.owner` lets a user write a queue's key.
        refuse_errors(queue)
        self.check_author(queue)
        if self._hides_private:
            self.get(queue.full_name)
        outcome, *details = self._write("edit", queue, expected, note)
        if outcome == "edited":
            revision, author = details
            raise Conflict(
                f"queue {queue.full_name!r} is at revision {revision} by {author!r}, not at {expected}; look at it "
                f"with 'launchyard queue diff {queue.full_name} {expected}', and edit it anew"
            )
        return self.get(queue.full_name)

    def _write(self, what: str, queue: Queue, expected: int | None = None, note: str = "") -> list[str]:
        keys, name = self._keys, queue.full_name
        with translated(self._client):
            reply: list[str] = self._script(
                keys=[
                    *(keys.queue(name), keys.queues, keys.newest_revisions, keys.queue_revisions(name)),
                    *(keys.queue_authors(name), keys.alarms),
                ],
                args=[
                    *(what, name, "" if expected is None else expected, now().isoformat(), self._author, note),
                    *(queue.model_dump_json(), REVISIONS_KEPT, keys.queue_held(name, "")),
                    *(part for limit in LIMITS for part in (limit, getattr(queue, limit) or "")),
                ],
            )
        return reply

    def oldest_wait(self, name: str) -> datetime | None:
        """Since when the run waits that has waited longest, of any priority; None: none does.

        Raises:
            NotFound: when there is no queue of that name.
        """
        waiting = self._keys.queue_waiting(self.get(name).name)
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for first in map(first_place, Priority):
                pipe.zrangebyscore(waiting, first, first + PLACES - 1, start=0, num=1, withscores=True)
            replies: list[list[tuple[str, float]]] = pipe.execute()
        places = [
            int(score) - first
            for first, found in zip(map(first_place, Priority), replies, strict=True)
            for _, score in found
        ]
        return datetime.fromtimestamp(min(places) / 1_000_000, UTC) if places else None

    def history(self, name: str) -> list[QueueRevision]:
        """The queue's revisions that are kept, newest first.

        Raises:
            NotFound: when there is no queue of that name.
        """
        name = self.get(name).name
        with translated():
            return [_revision(entry) for entry in self._client.xrevrange(self._keys.queue_revisions(name))]

    def revision(self, name: str, number: int) -> QueueRevision:
        """One revision of the queue.

        Raises:
            NotFound: when there is no such queue, or it has no such revision any more.
        """
        name = self.get(name).name
        with translated():
            # What no stream can have as a place is no revision either.
            key, place = self._keys.queue_revisions(name), f"{number if 0 < number < 2**63 else 0}-0"
            found = self._client.xrevrange(key, place, place)
        if not found:
            raise NotFound(
                f"queue {name!r} has no revision {number}; the newest {REVISIONS_KEPT} are kept, see "
                f"'launchyard queue history {name}'"
            )
        return _revision(found[0])

    def roll_back(self, name: str, number: int, expected: int | None = None) -> QueueRecord:
        """Edit the queue so that it is as it was at that revision, which makes a new one.

        Raises:
            InvalidRequest: when something in that config cannot work by what is known today.
            NotFound: when there is no such queue or revision.
            Conflict: when the queue is at another revision than `expected`.
        """
        return self.edit(self.revision(name, number).queue, expected, f"as revision {number}")

    def get(self, name: str) -> QueueRecord:
        """The queue of that name.

        Raises:
            NotFound: when there is none; the error names near misses.
            NotPermitted: when it is private to another author.
        """
        name = full_name(name)
        with translated():
            fields = self._client.hgetall(self._keys.queue(name))
        if "queue" not in fields:
            known = self._known()
            cure = _elsewhere(name, known) or did_you_mean(name, known) or "; there is none yet"
            raise NotFound(f"queue {name!r} does not exist{cure}")
        record = _record(fields)
        self.check_author(record.queue)
        return record

    def _known(self) -> Iterable[str]:
        if self._hides_private:
            return [record.name for record in self.list()]
        # An agent's user may read the names of all queues, and the records of its own alone.
        with translated():
            return self._client.smembers(self._keys.queues)

    def _is_hidden(self, queue: Queue) -> bool:
        return self._hides_private and queue.is_hidden_from(self._author)

    def check_author(self, queue: Queue) -> None:
        """Refuse what is another author's own, where this store is `for_author`.

        Raises:
            NotPermitted: when the queue is, or would be, private to another author.
        """
        if self._is_hidden(queue):
            raise NotPermitted(
                f"queue {queue.full_name!r} is private to {queue.entity!r}, and the author here is {self._author!r}; "
                "ask for a queue of your team, or create one of your own with --private"
            )

    def list(self) -> list[QueueRecord]:
        """All queues by name."""
        with translated():
            names = sorted(self._client.smembers(self._keys.queues))
            with self._client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hgetall(self._keys.queue(name))
                records = [_record(fields) for fields in pipe.execute() if "queue" in fields]
        return [record for record in records if not self._is_hidden(record.queue)]

    def counts(self, name: str) -> dict[State, int]:
        """How many runs of the queue are in each state; ended ones since the queue was made."""
        with translated():
            stored = self._client.hgetall(self._keys.queue_counts(full_name(name)))
        return {state: int(stored.get(state, 0)) for state in State}

    def set_paused(self, name: str, paused: bool, reason: str = "") -> QueueRecord:
        """Stop or let agents take runs of the queue; enqueueing goes on, and running runs are not touched.

        Raises:
            NotFound: when there is no queue of that name.
        """
        who = {"pause_reason": reason, "paused_by": self._author, "paused_at": now().isoformat()}
        return self._update(name, {"paused": int(paused), **(who if paused else dict.fromkeys(who, ""))})

    def set_draining(self, name: str, draining: bool, reason: str = "") -> QueueRecord:
        """Refuse or take launches on the queue; the runs that it has go on, those that wait too.

        Raises:
            NotFound: when there is no queue of that name.
        """
        return self._update(name, {"draining": int(draining), "drain_reason": reason if draining else ""})

    def closed(self, names: Sequence[str]) -> dict[str, str]:
        """Those of the queues from which no agent may take a run, each with `paused` or `full`."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hmget(self._keys.queue(name), "paused", "max_running")
                pipe.hgetall(self._keys.queue_counts(name))
            replies = pipe.execute()
        closed = {}
        for name, (paused, limit), counts in zip(names, replies[::2], replies[1::2], strict=True):
            if paused == "1":
                closed[name] = "paused"
            elif limit and sum(int(count) for state, count in counts.items() if State(state).is_live) >= int(limit):
                closed[name] = "full"
        return closed

    def has_place(self, name: str, author: str) -> bool:
        """Whether one more run of the author may be live, by the queue's limit for each author."""
        with translated():
            limit = self._client.hget(self._keys.queue(name), "max_running_per_author")
            live = self._client.hget(self._keys.queue_authors(name), f"live {author}")
        return not limit or int(live or 0) < int(limit)

    def delete(self, name: str) -> None:
        """Remove a queue that has no run waiting or live.

        Raises:
            NotFound: when there is no queue of that name.
            Conflict: when runs of it have not ended.
        """
        name = self.get(name).name
        counts = self._keys.queue_counts(name)

        def delete(pipe: Pipeline) -> None:
            # Called anew when the counts change before it is carried out: an enqueue may come at any time.
            open_runs = sum(count for state, count in self.counts(name).items() if not state.is_terminal)
            if open_runs:
                raise Conflict(
                    f"queue {name!r} has {open_runs} runs that have not ended; cancel them or wait, then delete, or "
                    f"let 'launchyard queue delete {name} --drain' wait for them"
                )
            pipe.multi()
            keys = self._keys
            pipe.delete(keys.queue(name), counts, keys.queue_waiting(name), keys.queue_authors(name))
            pipe.delete(keys.queue_revisions(name))
            pipe.srem(self._keys.queues, name)

        with translated():
            self._client.transaction(delete, counts)

    def _update(self, name: str, fields: dict[Any, str | int]) -> QueueRecord:
        name = self.get(name).name
        key = self._keys.queue(name)

        def write(pipe: Pipeline) -> None:
            # A queue that was deleted meanwhile must not come back in part.
            if pipe.exists(key):
                pipe.multi()
                pipe.hset(key, mapping=fields)

        with translated():
            self._client.transaction(write, key)
        return self.get(name)


def _elsewhere(name: str, known: Iterable[str]) -> str:
    """The clause that tells of queues which have that name in another entity."""
    own = f"/{name}".rpartition("/")[2]
    there = [other for other in known if f"/{other}".endswith(f"/{own}")]
    return f"; there is {' and '.join(map(repr, there))}, of another entity" if there else ""


def _revision(entry: Entry) -> QueueRevision:
    place, fields = entry
    queue = Queue.model_validate_json(fields["queue"])
    return QueueRevision.model_validate({**fields, "revision": place.partition("-")[0], "queue": queue})


def _record(fields: dict[str, str]) -> QueueRecord:
    return QueueRecord(
        queue=Queue.model_validate_json(fields["queue"]),
        revision=int(fields["revision"]),
        created_at=fields["created_at"],  # type: ignore[arg-type]  # pydantic reads ISO 8601
        updated_at=fields["updated_at"],  # type: ignore[arg-type]
        updated_by=fields.get("updated_by", ""),
        paused=fields.get("paused") == "1",
        pause_reason=fields.get("pause_reason", ""),
        paused_by=fields.get("paused_by", ""),
        paused_at=fields.get("paused_at") or None,  # type: ignore[arg-type]
        draining=fields.get("draining") == "1",
        drain_reason=fields.get("drain_reason", ""),
    )
