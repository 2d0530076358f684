"""What the agent asks of Celery's worker."""

from __future__ import annotations

from itertools import permutations

import pytest
from celery import Celery

from workers.steps import serve_only


class WorkerInMemory:
    """The part of Celery's consumer that adds and cancels queues, on a real app."""

    def __init__(self, *queues: str) -> None:
        self.app = Celery("test", broker="memory://", set_as_current=False)
        self.app.amqp.queues.select(list(queues))

    @property
    def served(self) -> set[str]:
        return set(self.app.amqp.queues.consume_from)

    def add_task_queue(self, queue: str) -> None:
        self.app.amqp.queues.select_add(queue)

    def cancel_task_queue(self, queue: str) -> None:
        self.app.amqp.queues.deselect(queue)


def test_the_worker_serves_what_it_is_asked_and_nothing_else() -> None:
    # Given
    worker = WorkerInMemory("gpu", "cpu")

    # When
    serve_only(worker, frozenset({"cpu", "tpu"}))

    # Then
    assert worker.served == {"cpu", "tpu"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_requests_that_the_loop_took_in_any_order_are_put_right_by_the_next(order: tuple[int, ...]) -> None:
    # Given a queue that was paused and resumed while the worker had no connection, and so did nothing
    worker = WorkerInMemory("gpu", "cpu")
    everything, without_gpu = frozenset({"gpu", "cpu"}), frozenset({"cpu"})
    asked = [everything, without_gpu, everything]

    # When they are carried out in that order, and the agent asks again
    for place in order:
        serve_only(worker, asked[place])
    serve_only(worker, everything)

    # Then
    assert worker.served == everything
