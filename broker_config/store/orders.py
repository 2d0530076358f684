"""The orders to carry out runs: Celery messages in the lists of the Redis transport."""

from __future__ import annotations

from redis.commands.core import Script

from broker_config import messages
from broker_config.connection import TextClient, translated
from broker_config.messages import Order
from broker_config.priorities import PLACES, Priority, first_place, list_key
from broker_config.runs import Run, RunId, now
from broker_config.store.keys import Keys


class Orders:
    """Send orders again, move them, and find out which are lost."""

    def __init__(self, client: TextClient, keys: Keys, script: Script) -> None:
        self._client = client
        self._keys = keys
        self._script = script

    def send_again(self, order: Order) -> None:
        """Send the order of a queued run again, in front: its first message was lost."""
        spec = order.spec
        with translated():
            given = self._client.hget(self._keys.run(spec.id), "new_priority")
            priority = Priority(int(given)) if given else spec.priority
            message = messages.encode(spec, spec.model_dump_json(), order.signature, priority)
            self._client.rpush(list_key(spec.queue.full_name, priority), message)

    def move(self, run: Run, priority: Priority, actor: str) -> bool:
        """Give a queued run another priority, and its order the place that goes with it.

        False: the run changed since it was read.
        """
        keys, queue = self._keys, run.spec.queue.full_name
        message = messages.encode(run.spec, run.spec.model_dump_json(), run.signature, priority)
        text = f"{actor} gave it the priority {priority.label}; it had {run.priority.label}."
        with translated():
            version = self._script(
                keys=[
                    *(keys.run(run.id), keys.run_events(run.id)),
                    *(keys.queue_waiting(queue), keys.queue_held(queue, run.spec.author)),
                    *(list_key(queue, run.priority), list_key(queue, priority)),
                ],
                args=[
                    *(run.id, run.version, now().isoformat(), actor, text, int(priority)),
                    *(first_place(run.priority), first_place(priority), PLACES, message),
                ],
            )
        return bool(version)

    def overtaken(self, queue: str, limit: int) -> list[RunId]:
        """Runs that wait for longer than the next order of their priority to leave; up to `limit` of each priority.

        Orders of one priority leave in the order of their enqueue, so such a run has none waiting. That costs a look at
        the front of four lists, and at what is lost, however long the lists are.
        """
        waiting = self._keys.queue_waiting(queue)
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for priority in Priority:
                pipe.lindex(list_key(queue, priority), -1)
            fronts = [messages.run_id(text) if text else None for text in pipe.execute()]
            for front in fronts:
                pipe.zscore(waiting, front or "")
            for priority, front, place in zip(Priority, fronts, pipe.execute(), strict=True):
                first = first_place(priority)
                end = first + PLACES
                # A front whose run waits no more, or not here, is a second delivery, and says nothing of others.
                is_here = place is not None and first <= place < end
                before = end if front is None else place if is_here else first
                pipe.zrangebyscore(waiting, first, f"({before:.0f}", start=0, num=limit)
            return [RunId(run_id) for overtaken in pipe.execute() for run_id in overtaken]
