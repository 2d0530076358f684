"""Runs in the store: the record is the truth, and each change of it is one atomic step with its event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.errors import Conflict, InvalidRequest, NotFound, StaleWrite
from broker_config.messages import Order
from broker_config.priorities import Priority
from broker_config.queues import QueueRecord
from broker_config.runs import RUN_ID_PREFIX, Event, Launch, Run, RunId, RunSpec
from broker_config.signing import Keyring
from broker_config.states import FailureClass, Reason, State
from broker_config.store import streams
from broker_config.store.changes import Change, Changer
from broker_config.store.claims import Claimed, Claimer
from broker_config.store.enqueue import Enqueuer
from broker_config.store.keys import Keys
from broker_config.store.orders import Orders
from broker_config.store.replication import Replication

CHANGE_ATTEMPTS = 50


STANDINGS_OF_A_TRIP = 1000

PAGE = 200


class Standing(NamedTuple):
    """Where a run is, without what it runs."""

    state: State
    since: datetime
    attempt: int
    ended_at: datetime | None


class SpecText(NamedTuple):
    """A run's spec to the letter, as it was enqueued, and the signature that it has."""

    text: str
    signature: str


class RunStore:
    """Enqueue, claim, change and read runs."""

    def __init__(
        self,
        client: TextClient,
        keys: Keys,
        scripts: dict[str, Script],
        retention_seconds: int,
        replication: Replication,
        *,
        keyring: Keyring | None,
    ) -> None:
        """`keyring`: what signs new runs."""
        self._client = client
        self._keys = keys
        self._orders = Orders(client, keys, scripts["prioritize"])
        self._enqueuer = Enqueuer(client, keys, scripts["enqueue"], retention_seconds, replication, keyring=keyring)
        self._claimer = Claimer(keys, scripts["claim"], retention_seconds)
        self._changer = Changer(keys, scripts["change"], retention_seconds)
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
        return self._claimer.claim(spec, agent, fence, session)

    def change(self, run: Run, change: Change) -> Run:
        """Write a change that was decided on `run`. Returns the run as it is now.

        Raises:
            StaleWrite: when the record changed since, or the fence is not the claim's any more.
            ValueError: when the state machine has no such transition.
        """
        return self._changer.write(run, change)

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
                # What an agent has looked at holds: the spec, which never changes, is not read again.
                found = [other.model_copy(update={"spec": run.spec}) for other in self.get_many([run.id])]
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
                return Change(
                    State.CANCELLED, Reason.CANCELLED_BY_USER, text, actor, {**wish, "failure": FailureClass.CANCELLED}
                )
            return Change(
                run.state, Reason.CANCEL_REQUESTED, f"{actor} asked to cancel the run.", actor, wish, wish=True
            )

        return self.change_until_written(run, decide)

    def set_priority(self, run: Run, priority: Priority, actor: str) -> Run:
        """Have a queued run leave its queue as if it had been enqueued with that priority.

        Raises:
            Conflict: when it is not queued any more.
            NotFound: when the record has expired.
        """
        for _ in range(CHANGE_ATTEMPTS):
            if run.state is not State.QUEUED:
                raise Conflict(f"run {run.id} is {run.state}: only a run that is queued can be given a priority")
            if run.priority is priority:
                return run
            is_moved = self._orders.move(run, priority, actor)
            run = self.get(run.id)
            if is_moved:
                return run
        raise StaleWrite(f"run {run.id} kept changing while it was given a priority {CHANGE_ATTEMPTS} times")

    def send_again(self, order: Order) -> None:
        """Send the order of a queued run again, in front: its first message was lost."""
        self._orders.send_again(order)

    def spec_text(self, run_id: str) -> SpecText:
        """A run's spec as it is stored, which is what its signature is for.

        Raises:
            NotFound: when there is no such run.
        """
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.get(self._keys.run_spec(run_id))
            pipe.hget(self._keys.run(run_id), "signature")
            text, signature = pipe.execute()
        if text is None:
            raise NotFound(f"run {run_id!r} does not exist")
        return SpecText(text, signature or "")

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
            Run.model_validate({**fields, "spec": RunSpec.model_validate_json(spec)})
            for fields, spec in zip(replies[::2], replies[1::2], strict=True)
            if fields and spec
        ]

    def standings(self, run_ids: Sequence[str]) -> dict[str, Standing]:
        """Where those of the runs are that exist: what is read of thousands again and again."""
        found: dict[str, Standing] = {}
        for start in range(0, len(run_ids), STANDINGS_OF_A_TRIP):
            ids = run_ids[start : start + STANDINGS_OF_A_TRIP]
            with translated(), self._client.pipeline(transaction=False) as pipe:
                for run_id in ids:
                    pipe.hmget(self._keys.run(run_id), "state", "since", "attempt", "ended_at")
                replies = pipe.execute()
            found |= {run_id: _standing(reply) for run_id, reply in zip(ids, replies, strict=True) if reply[0]}
        return found

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

    def newest(self, cursor: str = "") -> Iterator[Run]:
        """All runs, newest first; behind the run of that `cursor_of`, where one is given."""
        while ids := self._older(cursor):
            runs = self.get_many([run_id for run_id, _ in ids])
            yield from runs
            run_id, place = ids[-1]
            cursor = _cursor(int(place), run_id)

    def _older(self, cursor: str) -> list[tuple[str, float]]:
        """The next page of ids with their places. Runs of one microsecond are told apart by their ids."""
        place, _, last = cursor.partition("-")
        with translated():
            found = self._client.zrevrangebyscore(
                self._keys.runs, place or "+inf", "-inf", start=0, num=PAGE, withscores=True
            )
        return [one for one in found if not place or one[1] < int(place) or one[0] < last]

    def waiting(self, queue: str, limit: int) -> list[RunId]:
        """The runs of a queue that are the next to leave it: by priority, then the longest waiting first."""
        with translated():
            return [RunId(run_id) for run_id in self._client.zrange(self._keys.queue_waiting(queue), 0, limit - 1)]

    def overtaken(self, queue: str, limit: int = 1000) -> list[Order]:
        """Orders of queued runs that are not in the broker where they must be: lost, or in an agent's hands just now.

        Up to `limit` of each priority, the longest waiting first.
        """
        return [Order(run.spec, run.signature) for run in self.get_many(self._orders.overtaken(queue, limit))]

    def held_by_any(self, agents: Iterable[str], most: int) -> list[Run]:
        """The live runs that these agents hold, the longest held first; of very many, some."""
        ids = [run_id for agent in agents for run_id in self.ids_held_by(agent)]
        return sorted(self.get_many(ids[:most]), key=lambda run: run.since)

    def held_by(self, agent: str) -> list[Run]:
        """The live runs that an agent holds."""
        return self.get_many(sorted(self.ids_held_by(agent)))

    def ids_held_by(self, agent: str) -> set[RunId]:
        """The live runs that an agent holds, by id: one short answer, however many there are."""
        with translated():
            return {RunId(run_id) for run_id in self._client.smembers(self._keys.agent_runs(agent))}

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


def cursor_of(run: Run) -> str:
    """From which `newest` goes on behind that run."""
    return _cursor(run.place, run.id)


def _cursor(place: int, run_id: str) -> str:
    return f"{place}-{run_id}"


def _standing(reply: Sequence[str | None]) -> Standing:
    state, since, attempt, ended_at = (text or "" for text in reply)
    ended = datetime.fromisoformat(ended_at) if ended_at else None
    return Standing(State(state), datetime.fromisoformat(since), int(attempt or 1), ended)
