"""The orders to carry out runs: Celery messages in the lists of the Redis transport."""

from __future__ import annotations

from collections.abc import Sequence

from broker_config import messages
from broker_config.connection import TextClient, translated
from broker_config.priorities import Priority, list_key
from broker_config.runs import Run, RunSpec
from broker_config.store.keys import Keys


class Orders:
    """Send orders again, and find out which are lost."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def send_again(self, spec: RunSpec) -> None:
        """Send the order of a queued run again, in front: its first message was lost."""
        message = messages.encode(spec, spec.model_dump_json())
        with translated():
            self._client.rpush(list_key(spec.queue.name, spec.priority), message)

    def overtaken(self, queue: str, candidates: Sequence[Run]) -> list[RunSpec]:
        """Those of the queued runs that are older than the next order of their priority to leave."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for priority in Priority:
                pipe.lindex(list_key(queue, priority), -1)
            fronts = [messages.run_id(text) if text else None for text in pipe.execute()]
            for run_id in fronts:
                pipe.zscore(self._keys.queue_waiting(queue), run_id or "")
            for run in candidates:
                pipe.zscore(self._keys.queue_waiting(queue), run.id)
            scores = pipe.execute()
        # A front whose run does not wait any more is a second delivery, and says nothing of the others.
        oldest = {
            priority: float("inf") if front is None else (score or 0.0)
            for priority, front, score in zip(Priority, fronts, scores, strict=False)
        }
        return [
            run.spec
            for run, place in zip(candidates, scores[len(fronts) :], strict=True)
            if place is not None and place < oldest[run.spec.priority]
        ]
