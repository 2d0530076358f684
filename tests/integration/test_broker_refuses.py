"""A broker that answers, and refuses: no memory left, rights that are missing, a policy that loses runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from broker_config import acl
from broker_config.connection import connect
from broker_config.errors import BrokerFull
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client, RunHandle
from tests.agents import AgentProcess, eventually
from tests.redis_server import redis_server
from workers.steps import EXIT_CONFIG
from workers.targets.stub import StubTarget

LINES = ["epoch 1", "epoch 2"]


@pytest.fixture
def settings(home: Path) -> Iterator[Settings]:
    """A Redis that refuses writes when it is full."""
    (home / "launch-config.yaml").write_text("lease_seconds: 3\nbuilder: {type: stub}\n")
    with redis_server(home, maxmemory_policy="noeviction") as port:
        yield Settings(home=home, broker_url=f"redis://127.0.0.1:{port}/0", author="tester")


@pytest.fixture
def admin(settings: Settings) -> Iterator[redis.Redis]:
    client = connect(settings)
    yield client
    client.close()


def keys_of(admin: redis.Redis) -> set[str]:
    """What there is, less what agents say of themselves."""
    return {key for key in admin.scan_iter() if ":agent" not in key}


def lines_of(handle: RunHandle) -> list[str]:
    return [*handle.logs()]


def test_a_full_broker_takes_no_run_and_loses_none(settings: Settings, admin: redis.Redis) -> None:
    with Client(settings) as client:
        # Given runs that run and runs that wait, on a broker that has no memory left
        client.queues.create(Queue(name="gpu-queue", resource="stub", config={"seconds": 2, "lines": LINES}))
        agent = AgentProcess(settings, "gpu-queue", max_jobs=2).start()
        handles = client.enqueue_many([{"queue": "gpu-queue", "source": "team/train:1"}] * 5)
        eventually(lambda: client.queues.counts("gpu-queue")[State.RUNNING] == 2, "two run")
        before = keys_of(admin)
        admin.config_set("maxmemory", 1)

        # When
        with pytest.raises(BrokerFull, match=r"out of memory \(.* used\) .* maxmemory"):
            client.launch(queue="gpu-queue", source="team/train:1", idempotency_key="one")

        # Then nothing of it was written, and the end of what runs is
        assert keys_of(admin) == before
        eventually(lambda: client.queues.counts("gpu-queue")[State.SUCCEEDED] == 2, "their ends are recorded")
        assert agent.is_alive
        waiting = [handle for handle in handles if handle.state is State.QUEUED]
        assert len(waiting) == 3

        # And a cancel is heard
        waiting[0].cancel()
        assert waiting[0].state is State.CANCELLED

        # When there is memory again
        admin.config_set("maxmemory", 0)
        handles.append(client.launch(queue="gpu-queue", source="team/train:1", idempotency_key="one"))

        # Then everything goes on, once
        eventually(lambda: client.queues.counts("gpu-queue")[State.SUCCEEDED] == 5, "all others succeed", 60)
        assert agent.stop() == 0
        submissions = StubTarget(settings.home).submissions()
        assert len(submissions) == len(set(submissions)) == 5
        logs = [lines_of(handle) for handle in handles if handle.succeeded]
        assert all(log == LINES[: len(log)] for log in logs)
        assert logs[-1] == LINES


@pytest.mark.parametrize("missing", ["~_kombu.binding*", "+brpop", "~launchyard:agent:*:lease", "+info"])
def test_an_agent_without_a_right_ends_at_its_start_and_says_why(
    settings: Settings, admin: redis.Redis, missing: str
) -> None:
    # Given
    rules = [rule for rule in acl.agent("launchyard:", ["gpu-queue"]).split() if rule != missing]
    admin.execute_command("ACL", "SETUSER", "agent", "on", ">agent", *rules)
    url = str(settings.broker_url).replace("//", "//agent:agent@")
    agent = AgentProcess(settings.model_copy(update={"broker_url": url}), "gpu-queue")

    # When
    agent.spawn()

    # Then
    assert agent.wait() == EXIT_CONFIG
    (reason,) = [line for line in agent.log.read_text().splitlines() if "agent-refused" in line]
    assert "no permissions" in reason
    assert "launchyard broker acl" in reason


def test_an_agent_warns_of_a_broker_that_deletes_runs(settings: Settings, admin: redis.Redis) -> None:
    # Given
    admin.config_set("maxmemory-policy", "allkeys-lru")
    agent = AgentProcess(settings, "gpu-queue").start()

    # Then
    assert agent.stop() == 0
    assert "broker-evicts policy=allkeys-lru" in agent.log.read_text()
