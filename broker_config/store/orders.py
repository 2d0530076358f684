"""The orders to carry out runs: Celery messages in the lists of the Redis transport."""

from __future__ import annotations

from broker_config import messages
from broker_config.connection import TextClient, translated
from broker_config.messages import Order
from broker_config.priorities import PLACES, Priority, first_place, list_key
from broker_config.runs import RunId
from broker_config.store.keys import Keys


class Orders:
    """Send orders again, and find out which are lost."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def send_again(self, order: Order) -> None:
        """Send the order of a queued run again, in front: its first message was lost."""
        spec = order.spec
        message = messages.encode(spec, spec.model_dump_json(), order.signature)
        with translated():
            self._client.rpush(list_key(spec.queue.full_name, spec.priority), message)

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
                # A front whose run does not wait any more is a second delivery, and says nothing of the others.
                first = first_place(priority)
                before = first + PLACES if front is None else first if place is None else place
                pipe.zrangebyscore(waiting, first, f"({before:.0f}", start=0, num=limit)
            return [RunId(run_id) for overtaken in pipe.execute() for run_id in overtaken]
