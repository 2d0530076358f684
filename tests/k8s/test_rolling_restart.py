"""Agents of the chart in a real cluster, all replaced while their runs are live."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from broker_config.queues import Queue
from broker_config.states import State
from producer import Client, ImageSource, RunHandle
from tests.agents import eventually
from tests.cluster import JOBS, cluster, namespace
from tests.fake_nodes import fake_nodes
from tests.k8s.installation import Yard, images
from workers.kubernetes.cluster import MERGE_PATCH
from workers.kubernetes.resource import PODS

pytestmark = pytest.mark.timeout(900)

LIVE = 200
LATER = 20


@pytest.fixture
def yard(home: Path) -> Iterator[Yard]:
    cluster()
    with images() as values, namespace() as name:
        yield Yard(name, values, home)


@contextmanager
def objects_seen(place: str) -> Iterator[set[tuple[str, str]]]:
    """Name and uid of each Job that there is at any time."""
    seen: set[tuple[str, str]] = set()
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(0.5):
            metadata = [job["metadata"] for job in cluster().listed(JOBS.path(place), "launchyard/managed")]
            seen.update((one["name"], one["uid"]) for one in metadata)

    with ThreadPoolExecutor(1) as watcher:
        looking = watcher.submit(look)
        try:
            yield seen
        finally:
            stopped.set()
            looking.result()


def end_pods(place: str) -> None:
    """Have every pod of a job end, with exit code 0."""
    patch = {"metadata": {"annotations": {"fake/ends-after": "0s"}}}
    names = [pod["metadata"]["name"] for pod in cluster().listed(PODS.path(place), "launchyard/managed")]

    def end(name: str) -> None:
        cluster().call("PATCH", PODS.path(place, name), body=patch, content_type=MERGE_PATCH)

    with ThreadPoolExecutor(8) as several:
        list(several.map(end, names))


def test_a_rolling_restart_under_200_live_runs_loses_and_doubles_none(yard: Yard) -> None:
    with fake_nodes() as where, Client(yard.settings) as client:
        # Given
        template: dict[str, Any] = {"spec": {"template": {"spec": where}}}
        client.queues.create(Queue(name="gpu", resource="kubernetes", config=template))
        yard.agents("install", launchConfig={"queues": ["gpu"], "max_jobs": -1, "builder": {"type": "noop"}})

        def launched() -> RunHandle:
            return client.launch(queue="gpu", source=ImageSource(image="none:1"))

        with objects_seen(yard.namespace) as seen:
            runs = [launched() for _ in range(LIVE)]
            running = {State.RUNNING}
            eventually(lambda: {run.refresh().state for run in runs} == running, f"{LIVE} live runs", seconds=120)

            # When
            with ThreadPoolExecutor(1) as beside:
                later = beside.submit(lambda: [launched() for _ in range(LATER)])
                yard.restart()
                runs += later.result()

            # Then
            eventually(lambda: {run.refresh().state for run in runs} == running, "the same, and later ones", seconds=60)
            end_pods(yard.namespace)
            for run in runs:
                assert run.wait(60).state is State.SUCCEEDED, run.run.text
        assert len(seen) == len({name for name, _ in seen}) == LIVE + LATER
        assert {run.run.attempt for run in runs} == {1}
