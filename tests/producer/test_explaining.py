"""Explanations over each transport, of what an agent that a test drives by hand has written."""

from __future__ import annotations

import pytest

from broker_config.errors import NotFound, NotPermitted
from broker_config.queues import Queue, QueueRecord
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.agents import Mode
from producer import Client
from tests.broker_config.conftest import agent_info
from tests.producer.conftest import HandAgent

IMAGE = "python:3.11"


def codes_of(client: Client, run_id: str) -> list[str]:
    return [one.code for one in client.run(run_id).explain().causes]


def test_a_run_that_waits_tells_of_its_queue_its_agents_and_its_place(client: Client, queue: QueueRecord) -> None:
    # Given two runs on a queue that its owner paused
    first, second = (client.launch(queue=queue.name, source=IMAGE) for _ in range(2))
    client.queues.set_paused(queue.name, True, "new driver")

    # When the second one is explained
    found = second.explain()

    # Then each reason is there with its numbers
    assert [one.code for one in found.causes] == ["queue-paused", "no-agent", "in-line"]
    assert found.causes[0].text == "Queue 'gpu-queue' was paused by tester: new driver."
    assert found.causes[0].since is not None
    assert found.causes[2].text.startswith("It is number 2 of 2 that wait")
    # And resumed, nobody is said to have paused it
    assert client.queues.set_paused(queue.name, False).paused_by == ""
    assert codes_of(client, first.id) == ["no-agent", "in-line"]


def test_the_holders_of_a_full_queue_are_named(client: Client, store: Store, agent: HandAgent) -> None:
    # Given a queue that runs one at once
    client.queues.create(Queue(name="one", resource="stub", max_running=1))
    store.agents.announce(agent_info(HandAgent.name).model_copy(update={"queues": ("one",)}))
    first, second = (client.launch(queue="one", source=IMAGE) for _ in range(2))
    agent.start(first.id)

    # When the other one is explained, then it names the one that runs
    limit = second.explain().causes[0]
    assert limit.text == "Queue 'one' runs 1 at once, and 1 is live: tester has 1."
    assert [first.id in one.text for one in limit.causes] == [True]


def test_a_failed_run_shows_its_exit_code_and_its_last_lines(
    client: Client, queue: QueueRecord, agent: HandAgent
) -> None:
    run = client.launch(queue=queue.name, source=IMAGE)
    started = agent.start(run.id)
    agent.print(started, *(f"step {number}" for number in range(20)))
    agent.finish(started, exit_code=137)

    found = run.explain()

    assert [one.code for one in found.causes] == ["exited", "exit-code", "last-lines"]
    assert "SIGKILL" in found.causes[1].text
    assert found.causes[2].lines == tuple(f"step {number}" for number in range(10, 20))


def test_queues_agents_and_runs_are_found_by_one_word(client: Client, store: Store, queue: QueueRecord) -> None:
    run = client.launch(queue=queue.name, source=IMAGE)
    store.agents.announce(agent_info("spare@host"))
    client.agents.wish("spare", Mode.PAUSED, "later")

    assert client.explain("gpu-queue") == client.explain_queue("gpu-queue")
    assert client.explain("spare").code == client.explain("spare@host").code == "agent-silent"
    assert client.explain(run.id[:9]).code == "run-queued"
    with pytest.raises(NotFound, match=r"no run, queue or agent is called 'gpu-quee'; did you mean 'gpu-queue'"):
        client.explain("gpu-quee")


def test_a_private_queue_and_its_runs_are_not_explained_to_others(client: Client, settings: Settings) -> None:
    # Given a run on somebody's own queue
    with Client(settings, author="somebody") as owner:
        owner.queues.create(Queue(name="mine", entity="somebody", private=True, resource="stub"))
        run = owner.launch(queue="somebody/mine", source=IMAGE)
        assert owner.explain(run.id).code == "run-queued"

    # Then nobody else has it explained
    with pytest.raises(NotPermitted, match="private to 'somebody'"):
        client.explain_queue("somebody/mine")
    for word in ("somebody/mine", run.id):
        with pytest.raises(NotFound):
            client.explain(word)
