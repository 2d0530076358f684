"""Enqueueing: many runs with their messages, in few steps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from redis.commands.core import Script

from broker_config import messages
from broker_config.connection import TextClient
from broker_config.errors import CodeNotStored, Conflict, InvalidRequest, NotFound, QueueFull, StaleWrite
from broker_config.priorities import first_place, list_key
from broker_config.queues import QueueRecord
from broker_config.runs import Launch, RunId, RunSpec
from broker_config.signing import Keyring, Signed
from broker_config.store.alarms import first_alarm, register_dependents
from broker_config.store.keys import Keys
from broker_config.store.replication import Replication

BATCH = 100
"""Runs that one step writes: large enough to amortise the round trip, small enough not to hold up the broker."""

Encoded = tuple[RunSpec, Launch, str]
"""A run, the launch that it came from, and the run's spec as JSON."""


class Enqueuer:
    """Writes new runs."""

    def __init__(
        self,
        client: TextClient,
        keys: Keys,
        script: Script,
        retention_seconds: int,
        replication: Replication,
        *,
        keyring: Keyring | None,
    ) -> None:
        self._client = client
        self._keys = keys
        self._script = script
        self._retention_seconds = retention_seconds
        self._replication = replication
        self._keyring = keyring

    def enqueue(self, record: QueueRecord, launches: Sequence[tuple[RunSpec, Launch]], max_bytes: int) -> list[RunId]:
        """Write runs of one queue. See `RunStore.enqueue`."""
        encoded = [(spec, launch, spec_json(spec, max_bytes)) for spec, launch in launches]
        if not encoded:
            return []
        register_dependents(self._client, self._keys, [spec for spec, _, _ in encoded])
        if len(encoded) <= BATCH:
            return self._write(record, *self._arguments(record, encoded), encoded)
        ids: list[RunId] = []
        # While the broker writes one batch, the next one is encoded.
        with ThreadPoolExecutor(1) as sender:
            sent = None
            for start in range(0, len(encoded), BATCH):
                batch = encoded[start : start + BATCH]
                names, arguments = self._arguments(record, batch, more=len(encoded) - start - len(batch))
                if sent is not None:
                    ids += sent.result()
                sent = sender.submit(self._write, record, names, arguments, batch)
            if sent is not None:
                ids += sent.result()
        return ids

    def _arguments(self, record: QueueRecord, batch: Sequence[Encoded], more: int = 0) -> tuple[list[str], list[Any]]:
        keys, queue = self._keys, record.queue.full_name
        first = batch[0][0]
        names = [keys.queue(queue), keys.queue_waiting(queue), keys.queue_counts(queue), keys.runs, keys.alarms]
        names += [keys.queue_authors(queue), keys.archives]
        arguments = [record.revision, self._retention_seconds, first.created_at.isoformat(), first.author, more]
        for spec, launch, text in batch:
            names += [
                keys.run(spec.id),
                keys.run_spec(spec.id),
                keys.run_events(spec.id),
                list_key(queue, spec.priority),
                keys.idempotency(queue, launch.idempotency_key or ""),
                keys.archive_holders(spec.job.archive),
            ]
            hold, signature = spec.first_hold, self._sign(spec, text)
            arguments += [spec.id, text, "" if hold else messages.encode(spec, text, signature), _digest(launch)]
            arguments += [hold or "", first_alarm(spec) or "", spec.not_before.isoformat() if spec.not_before else ""]
            arguments += [first_place(spec.priority), spec.job.archive, signature]
        return names, arguments

    def _sign(self, spec: RunSpec, text: str) -> str:
        return self._keyring.sign(Signed.SPEC, text, spec.created_at) if self._keyring else ""

    def _write(
        self, record: QueueRecord, names: list[str], arguments: list[Any], batch: Sequence[Encoded]
    ) -> list[RunId]:
        outcome, *replies = self._replication.call(self._script, names, arguments)
        if outcome == "missing":
            raise NotFound(f"queue {record.name!r} does not exist")
        if outcome == "edited":
            raise StaleWrite(f"queue {record.name!r} was edited since it was read")
        if outcome == "conflict":
            place, other = replies
            key = batch[int(place)][1].idempotency_key
            raise Conflict(f"idempotency key {key!r} stands for another launch, run {other}; use a new key")
        if outcome == "draining":
            raise Conflict(
                f"queue {record.name!r} takes no launches any more, because it is being deleted; launch on another "
                f"queue, or have its owner call that off: 'launchyard queue resume {record.name}'"
            )
        if outcome == "no-code":
            raise CodeNotStored(replies[0])
        if outcome == "full":
            raise _full(record.name, batch[0][0].author, replies)
        return [RunId(run_id) for run_id in replies]


def _full(queue: str, author: str, replies: Sequence[str]) -> QueueFull:
    limit, most, *shares = replies
    by_author = dict(zip(shares[::2], map(int, shares[1::2]), strict=True))
    waiting = {name.removeprefix("queued "): n for name, n in by_author.items() if name.startswith("queued ")}
    who = ", ".join(f"{name} has {count}" for name, count in sorted(waiting.items(), key=lambda one: -one[1])[:5])
    whose = f"of {author!r} " if limit.endswith("author") else ""
    return QueueFull(
        f"queue {queue!r} lets {most} runs {whose}wait ({limit}), and {sum(waiting.values())} wait{': ' if who else ''}"
        f"{who}; launch later or fewer at once, cancel some of 'launchyard runs -q {queue} -s queued', or have its "
        f"owner raise the limit: 'launchyard queue edit {queue} --{limit.replace('_', '-')} N'"
    )


def check_sizes(specs: Iterable[RunSpec], max_bytes: int) -> None:
    """For a caller that enqueues on several queues: all sizes are checked before the first queue is written to.

    Raises:
        InvalidRequest: when a run is larger than `max_bytes`.
    """
    for spec in specs:
        spec_json(spec, max_bytes)


def spec_json(spec: RunSpec, max_bytes: int) -> str:
    """The run's spec as JSON.

    Raises:
        InvalidRequest: when it is larger than `max_bytes`.
    """
    text = spec.model_dump_json()
    size = len(text) if text.isascii() else len(text.encode())
    if size > max_bytes:
        raise InvalidRequest(
            f"the run is {size:,} bytes with its queue config, and {max_bytes:,} are allowed; "
            "put large values into the code or a file that the job reads"
        )
    return text


def _digest(launch: Launch) -> str:
    if launch.idempotency_key is None:
        return ""
    return hashlib.sha256(launch.model_dump_json().encode()).hexdigest()
