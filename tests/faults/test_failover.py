"""The broker's primary fails and Sentinel promotes a replica: agents and producers go on by themselves.

Runs wait, run and are enqueued meanwhile. What was accepted with a replica's word is carried out, and once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_config.errors import NotReplicated, StaleWrite
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from producer import Client, RunHandle
from tests.agents import AgentProcess, eventually
from tests.broker_config.conftest import Hand
from tests.failover import Failover, failover
from workers.targets.stub import StubTarget

LAUNCH = {"queue": "gpu-queue", "source": "team/train:1"}


@pytest.fixture
def group(home: Path) -> Iterator[Failover]:
    with failover(home, password="correct-horse", sentinel_password="battery") as group:
        yield group


@pytest.fixture
def settings(home: Path, group: Failover) -> Settings:
    (home / "launch-config.yaml").write_text("lease_seconds: 6\nbuilder: {type: stub}\n")
    return Settings(home=home, broker_url=group.url, sentinel_password="battery", min_replicas=1, author="tester")


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with Client(settings) as client:
        client.queues.create(Queue(name="gpu-queue", resource="stub", config={"seconds": 1.5, "lines": ["epoch 1"]}))
        yield client


def kill(group: Failover) -> None:
    """The primary dies, and comes back as a replica."""
    dead, heir = group.primary, group.replica
    group.kill(dead)
    group.wait_until_promoted(heir)
    group.start_server(dead, heir)


def swap(group: Failover) -> None:
    """The two exchange their roles, both alive, as before maintenance."""
    group.swap()


def freeze(group: Failover) -> None:
    """The primary neither answers nor hangs up, and comes back when it is primary no more."""
    frozen, heir = group.primary, group.replica
    group.freeze(frozen)
    group.wait_until_promoted(heir)
    group.thaw(frozen)


@pytest.mark.parametrize("fault", [kill, swap, freeze])
def test_runs_survive_a_failover(
    fault: Callable[[Failover], None], group: Failover, settings: Settings, client: Client
) -> None:
    # Given runs that run and runs that wait
    agent = AgentProcess(settings, "gpu-queue", max_jobs=3).start()
    handles = client.enqueue_many([LAUNCH] * 8)
    eventually(lambda: client.queues.counts("gpu-queue")[State.RUNNING] > 0, "some run")

    # When
    fault(group)
    handles += [launched(client, key) for key in ("one", "two")]

    # Then
    eventually(lambda: all(handle.state.is_terminal for handle in handles), "all have ended", 120)
    assert {handle.state for handle in handles} == {State.SUCCEEDED}
    submissions = StubTarget(settings.home).submissions()
    assert sorted(submissions) == sorted(handle.run.object_name for handle in handles)
    assert agent.stop() == 0


def launched(client: Client, key: str) -> RunHandle:
    """A run that a replica has: launched again, under its key, until one has it."""
    handles: list[RunHandle] = []

    def is_safe() -> bool:
        try:
            handles.append(client.launch(**LAUNCH, idempotency_key=key))  # type: ignore[typeddict-item]
        except NotReplicated:
            return False
        return True

    eventually(is_safe, "a replica has the run", 60)
    return handles[0]


def test_a_launch_that_no_replica_has_says_so_and_is_not_done_twice(group: Failover, client: Client) -> None:
    # Given
    group.kill(group.replica)

    # When
    for _ in range(2):
        with pytest.raises(NotReplicated, match="0 of the 1 replicas"):
            client.launch(**LAUNCH, idempotency_key="one")  # type: ignore[typeddict-item]

    # Then
    (handle,) = client.runs()
    group.start_server(next(port for port in group.servers if port != group.primary), group.primary)
    assert launched(client, "one").id == handle.id
    assert client.queues.counts("gpu-queue")[State.QUEUED] == 1


def test_a_record_that_a_failover_lost_is_told_from_one_that_replicas_have(group: Failover, client: Client) -> None:
    # Given a claim that the replica does not know
    store = Store(client.settings)
    hand = Hand(store, store.queues.get("gpu-queue"))
    (run,) = hand.enqueue()
    dead, heir = group.primary, group.replica
    group.kill(heir)
    claimed = hand.claim(run)
    with pytest.raises(NotReplicated):
        store.runs.wait_for_replicas(claimed)

    # When the replica is promoted without it
    group.kill(dead)
    group.start_server(heir, dead)
    group.wait_until_promoted(heir)
    group.start_server(dead, heir)

    # Then
    eventually(lambda: group.replicas_in_step() == 1, "there is a replica again")
    with pytest.raises(StaleWrite, match="a failover of the broker lost that"):
        store.runs.wait_for_replicas(claimed)
    assert store.runs.get(run.id).state is State.QUEUED
    assert store.agents.new_fence() > hand.fence
