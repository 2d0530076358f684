"""The API server is out of reach for a minute while many runs live: none is lost, doubled or called failed for it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from broker_config.jobs import ImageSource
from broker_config.queues import Queue
from broker_config.retries import RetryPolicy
from broker_config.runs import Run, RunId
from broker_config.settings import Settings
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.agents import eventually
from tests.cluster import cluster, namespace, registry
from tests.faults.api_server import ClusterProxy, calls
from tests.faults.cells import EVERY_CELL
from tests.faults.conftest import Borrow
from tests.faults.history import ends
from tests.faults.jobs import IMAGE
from tests.faults.yard import LEASE_SECONDS, FusedAgent, Yard
from workers.kubernetes.cluster import MERGE_PATCH
from workers.kubernetes.resource import PODS

COUNT, ENDED, DELETED, LATE = 50, 20, 5, 5
"""Runs that live when the server goes; of which so many end, and are deleted, unseen; and those launched meanwhile."""

CUT_SECONDS = 60.0 if EVERY_CELL else 30.0
"""The length of the fault. CI's is as long as it takes until everybody has noticed."""

HERDER = "herder@test"


class Herd:
    """Runs whose objects are pods that no node has: how far they are is what the test writes into their status."""

    def __init__(self, yard: Yard, space: str) -> None:
        assert yard.jobs.way is not None
        self.way: ClusterProxy = yard.jobs.way
        self.home = yard.home
        self._client = yard.client
        self._store = yard.store
        self._space = space
        self.queue = f"herd-{space}"
        self.runs: list[RunId] = []
        pod = {"schedulerName": "nobody", "restartPolicy": "Never", "containers": [{}]}
        config = {"apiVersion": "v1", "kind": "Pod", "namespace": space, "spec": pod}
        self._client.queues.create(
            Queue(
                name=self.queue,
                resource="kubernetes",
                config={**config, "configFile": str(self.way.config)},
                retries=RetryPolicy(infra=0),
            )
        )

    def launch(self, count: int, **fields: Any) -> list[RunId]:
        source = ImageSource(image=f"{registry()}/{IMAGE}")
        job = {"queue": self.queue, "source": source, "entry_point": ["true"], **fields}
        launched = [self._client.launch(**job).id for _ in range(count)]
        self.runs += launched
        return launched

    def move(self, run_id: RunId, phase: str, container: str) -> None:
        """Say how far a pod is, as a kubelet does."""
        state = {"running": {}} if container == "running" else {"terminated": {"exitCode": 0, "reason": "Completed"}}
        told = {"name": "launch0", "ready": False, "restartCount": 0, "image": "", "imageID": "", "state": state}
        body = {"status": {"phase": phase, "containerStatuses": [told]}}
        path = PODS.path(self._space, _name(run_id), "status")
        cluster().call("PATCH", path, body=body, content_type=MERGE_PATCH)

    def delete(self, run_id: RunId) -> None:
        cluster().delete(PODS.path(self._space, _name(run_id)), options={"gracePeriodSeconds": 0})

    def objects(self) -> set[str]:
        return {one["metadata"]["name"] for one in cluster().get(PODS.path(self._space))["items"]}

    def now(self) -> dict[RunId, Run]:
        return {run.id: run for run in self._store.runs.get_many(self.runs)}

    def counted(self) -> Counter[tuple[State, Reason]]:
        return Counter((run.state, run.reason) for run in self.now().values())

    def times_ended(self) -> Counter[int]:
        return Counter(ends([event for _, event in self._store.runs.events(one)]) for one in self.runs)


def _name(run_id: RunId) -> str:
    return f"launchyard-{run_id}-1"


@contextmanager
def herd(yard: Yard) -> Iterator[Herd]:
    """A queue of such runs, and an agent for them."""
    with namespace() as space:
        made = Herd(yard, space)
        through = Settings(home=yard.home, broker_url=f"redis+socket://{yard.home / 'proxy.sock'}")
        agent = FusedAgent(through, made.queue, name=HERDER).start()
        try:
            yield made
        finally:
            made.way.thaw()
            made.way.accept()
            agent.stop()


@pytest.mark.timeout(300)
def test_many_runs_live_through_an_outage_of_their_api_server(yards: Borrow) -> None:
    with yards("kubernetes", 0) as yard, herd(yard) as those:
        # Given
        live = those.launch(COUNT)
        eventually(lambda: those.objects() == {_name(one) for one in live}, "all are submitted", 90)
        for one in live:
            those.move(one, "Running", "running")
        eventually(lambda: those.counted() == {(State.RUNNING, Reason.RUNNING): COUNT}, "all run")

        # When the server is gone, and meanwhile some of them end, some are deleted, and others are launched
        began = time.time()
        those.way.refuse()
        for one in live[:ENDED]:
            those.move(one, "Succeeded", "terminated")
        for one in live[ENDED : ENDED + DELETED]:
            those.delete(one)
        late = those.launch(LATE)

        # Then it is told while it lasts, and nothing is said to have ended
        stale = {(State.RUNNING, Reason.TARGET_UNAVAILABLE): COUNT, (State.SUBMITTING, Reason.TARGET_UNAVAILABLE): LATE}
        eventually(lambda: those.counted() == stale, "all runs say that their target does not answer", CUT_SECONDS)
        while time.time() < began + CUT_SECONDS:
            assert those.counted() == stale
            time.sleep(0.5)
        asked = len(calls(yard.home, began))
        assert asked < 10 * CUT_SECONDS, "a server that is away is asked less than one that answers"

        # When
        back = time.time()
        those.way.accept()

        # Then
        settled = {
            (State.SUCCEEDED, Reason.EXITED): ENDED,
            (State.FAILED, Reason.OBJECT_GONE): DELETED,
            (State.RUNNING, Reason.RUNNING): COUNT - ENDED - DELETED,
            (State.STARTING, Reason.STARTING): LATE,
        }
        eventually(lambda: those.counted() == settled, "every run is where its object is")
        kept = {_name(one) for one in [*live[ENDED + DELETED :], *late]}
        eventually(lambda: those.objects() == kept, "what has ended is removed")
        assert those.times_ended() == {1: ENDED + DELETED, 0: COUNT - ENDED - DELETED + LATE}
        lists = [one for one in calls(yard.home, back) if one.is_list]
        assert len(lists) <= 2, "objects and pods are listed once at most, and not for each run"


def test_an_agent_whose_cluster_holds_back_all_answers_keeps_its_lease(yards: Borrow) -> None:
    with yards("kubernetes", 0) as yard, herd(yard) as those:
        # Given a run that is to be ended for its time
        (run_id,) = those.launch(1, timeouts={"start": 2 * LEASE_SECONDS})
        eventually(lambda: those.objects() == {_name(run_id)}, "it is submitted")
        # When the request to end it takes much longer than a lease
        those.way.freeze()
        eventually(lambda: bool(those.now()[run_id].end_reason), "its time is over")
        until = time.time() + 3 * LEASE_SECONDS
        # Then
        while time.time() < until:
            assert is_alive(yard.store, HERDER)
            time.sleep(0.1)
        # When
        those.way.thaw()
        # Then
        eventually(lambda: not those.objects(), "it is ended", 60)


def is_alive(store: Store, agent: str) -> bool:
    return any(info.name == agent and alive for info, alive in store.agents.list())
