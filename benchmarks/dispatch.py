"""From enqueue to work: how long an idle worker takes to begin, and how many a busy one gets through."""

from __future__ import annotations

import statistics
import time

from celery import Celery

from benchmarks.stock import QUEUE as STOCK_QUEUE
from benchmarks.yard import JOB, QUEUE, launch_fields, until, worker
from broker_config.connection import connect
from broker_config.states import State
from producer import Client

PAUSE_SECONDS = 0.05
"""Between two launches, so that each finds an idle worker."""


def ours_latency(client: Client, count: int) -> float:
    """Median ms from the call of `launch` until the agent submits the run to its target."""
    fields = launch_fields()
    latencies = []
    for _ in range(count):
        start = time.time()
        handle = client.launch(**fields)
        handle.wait(timeout=30)
        submitted = next(event.at for event in handle.events() if event.new is State.SUBMITTING)
        latencies.append((submitted.timestamp() - start) * 1000)
        time.sleep(PAUSE_SECONDS)
    return statistics.median(latencies)


def stock_latency(app: Celery, count: int) -> float:
    """Median ms from the call of `apply_async` until the task's body begins."""
    latencies = []
    for _ in range(count):
        start = time.time()
        began = app.send_task("noop", (JOB,), queue=STOCK_QUEUE, priority=2).get(timeout=30)
        latencies.append((began - start) * 1000)
        time.sleep(PAUSE_SECONDS)
    return statistics.median(latencies)


def ours_throughput(client: Client, count: int) -> float:
    """No-op runs a second through one agent, from the first start to the last end."""
    before = client.queues.counts(QUEUE)[State.SUCCEEDED]
    client.enqueue_many([launch_fields()] * count)

    def ended() -> int:
        return client.queues.counts(QUEUE)[State.SUCCEEDED] - before

    until(lambda: ended() > 0)
    start, first = time.perf_counter(), ended()
    until(lambda: ended() == count, seconds=300)
    return (count - first) / (time.perf_counter() - start)


def stock_throughput(client: Client, app: Celery, count: int) -> float:
    """No-op tasks a second through one stock worker with the same settings."""
    broker = connect(client.settings)
    key = f"{STOCK_QUEUE}:2"

    def left() -> int:
        return int(broker.llen(key)) + int(broker.hlen("unacked"))

    for _ in range(count):
        app.send_task("noop", (JOB,), queue=STOCK_QUEUE, priority=2)
    with worker(client, "benchmarks.stock", "-Q", STOCK_QUEUE, "-n", "stock@bench"):
        until(lambda: left() < count)
        start, first = time.perf_counter(), left()
        until(lambda: left() == 0, seconds=300)
        return first / (time.perf_counter() - start)
