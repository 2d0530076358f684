"""Enqueue: ours writes record, event and message; stock `apply_async` writes the message."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.stock import QUEUE as STOCK_QUEUE
from benchmarks.yard import JOB, launch_fields
from broker_config.celery_app import create_app
from producer import Client

ROUNDS = 5


def rate(count: int, work: Callable[[], object]) -> float:
    """Jobs a second, the best of some rounds: what disturbs a round only makes it slower."""
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        best = max(best, count / (time.perf_counter() - start))
    return best


def stock_single(client: Client, count: int) -> float:
    """`apply_async` one by one, with Celery's pooled producer."""
    task = create_app(client.settings).task(name="noop")(_noop)

    def work() -> None:
        for _ in range(count):
            task.apply_async((JOB,), queue=STOCK_QUEUE, priority=2)

    return rate(count, work)


def ours_single(client: Client, count: int) -> float:
    """`Client.launch` one by one."""
    fields = launch_fields()

    def work() -> None:
        for _ in range(count):
            client.launch(**fields)

    return rate(count, work)


def ours_bulk(client: Client, count: int) -> float:
    """`Client.enqueue_many`."""
    fields = launch_fields()
    return rate(count, lambda: client.enqueue_many([fields] * count))


def _noop(job: object) -> None:
    """A task that nobody runs."""
