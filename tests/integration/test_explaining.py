"""What is told of runs, queues and agents while real agents are at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from broker_config.queues import Queue
from broker_config.retries import RetryPolicy
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from producer import Client
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs

AgentMaker = Callable[..., AgentProcess]


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with Client(settings) as client:
        yield client


def codes(client: Client, word: str) -> list[str]:
    return [one.code for one in client.explain(word).causes]


def test_from_no_agent_to_a_full_one_each_wait_has_its_reason(
    client: Client, store: Store, runs: Runs, agent: AgentMaker
) -> None:
    # Given a queue that runs one at once, with nobody who serves it
    queue = store.queues.create(Queue(name="few", resource="stub", max_running=1))
    first, second = runs.enqueue(queue, 2, seconds=600)
    assert codes(client, first) == ["no-agent", "in-line"]

    # When an agent takes the first run
    serving = agent("few", name="one@test").start()
    runs.wait([first], State.RUNNING)

    # Then the second one waits for its slot
    assert codes(client, second) == ["queue-limit", "in-line"]
    assert first in client.explain(second).causes[0].causes[0].text
    # And when the agent is killed, the first one says so as soon as its lease is over
    serving.kill()
    store.agents.release("one@test", store.agents.holder("one@test"))
    assert codes(client, first) == ["agent-silent", "running"]
    assert codes(client, second) == ["queue-limit", "agents-away", "in-line"]
    assert client.explain("one@test").code == "agent-silent"


def test_a_pause_a_dependency_and_a_failure_are_told(
    client: Client, store: Store, runs: Runs, agent: AgentMaker
) -> None:
    # Given an agent on a queue without retries, and a run that waits for another one
    queue = store.queues.create(Queue(name="q", resource="stub", retries=RetryPolicy(infra=0)))
    (bad,) = runs.enqueue(queue, exit_code=137, lines=["loading", "out of luck"], starting_seconds=3)
    (behind,) = runs.enqueue(queue, fields={"after": (bad,)})
    store.queues.set_paused("q", True, "new driver")
    agent("q").start()
    assert codes(client, bad) == ["queue-paused", "in-line"]
    assert codes(client, behind) == ["held-for-runs", "queue-paused"]

    # When the queue is resumed, and the first one fails
    store.queues.set_paused("q", False)
    runs.wait_ended([bad, behind])

    # Then its end and that of the other one have their reasons
    eventually(lambda: codes(client, bad) == ["exited", "exit-code", "last-lines"], "the lines are there")
    assert client.explain(bad).causes[2].lines[-1] == "out of luck"
    assert codes(client, behind) == ["dependency-failed"]
    assert bad in client.explain(behind).causes[0].causes[0].text
