"""The page with a full store: what the server takes for each, beside Flower's list of as many tasks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.request import Request, urlopen

from benchmarks.yard import QUEUE, launch_fields, until
from broker_config.accounts.people import NewApiKey
from broker_config.celery_app import create_app as create_celery
from broker_config.runs import RunId
from broker_config.store import Store
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving
from tests.flower import FlowerProcess

ROUNDS = 15
BULK = 5000
HEARD_SECONDS = 300.0


class Times(NamedTuple):
    """Median ms from the question to the last byte of a page's HTML, by page; and of what Flower has for it."""

    ours: Mapping[str, float]
    flowers: Mapping[str, float]


def times(client: Client, runs: int) -> Times:
    """With so many runs in the store that all wait, and with as many tasks that Flower was told of."""
    fields = launch_fields()
    for start in range(0, runs, BULK):
        client.enqueue_many([fields] * min(BULK, runs - start))
    return Times(_ours(client, next(client.runs()).id), _flowers(client, runs))


def _ours(client: Client, run_id: RunId) -> Mapping[str, float]:
    store = Store(client.settings)
    store.accounts.add_user("bench", is_admin=True)
    key = str(store.accounts.add_key(NewApiKey(principal="bench"), "bench")[1])
    store.close()
    pages = {
        "the overview": "/",
        "all runs": "/runs",
        "runs of an author who has none": "/runs?author=nobody",
        "the queue": f"/queues/default/{QUEUE}",
        "a run": f"/runs/{run_id}",
    }
    with serving(create_app(client.settings)) as url:

        def ask(path: str) -> Callable[[], object]:
            request = Request(url + path, headers={"Authorization": f"Bearer {key}"})
            return lambda: urlopen(request).read()

        return {name: _milliseconds(ask(path)) for name, path in pages.items()}


def _flowers(client: Client, tasks: int) -> Mapping[str, float]:
    """Flower keeps in memory what workers say, so it is told in their words, and as fast as it listens."""
    flower = FlowerProcess(client.settings).start()
    try:
        app = create_celery(client.settings)
        with app.events.default_dispatcher(hostname="worker@bench") as dispatcher:
            for number in range(tasks):
                dispatcher.send("task-received", uuid=f"task-{number}", name="noop", args="()", kwargs="{}")
        last = f"/task/task-{tasks - 1}"
        until(lambda: flower.ask(last)[0] == 200, HEARD_SECONDS)
        table = "/tasks/datatable?draw=1&start=0&length=50&search[value]=&order[0][column]=0&order[0][dir]=desc"
        table += "&columns[0][data]=received"
        return {
            "all runs": _milliseconds(lambda: flower.page(table)),
            "a run": _milliseconds(lambda: flower.page(last)),
        }
    finally:
        flower.stop()


def _milliseconds(ask: Callable[[], object]) -> float:
    ask()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)
