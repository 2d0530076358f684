"""Emptying a queue that is to be deleted."""

from __future__ import annotations

import pytest

from broker_config.errors import Conflict
from broker_config.queues import Queue
from broker_config.states import State
from producer import Client
from producer.draining import drain
from tests.producer.conftest import HandAgent


@pytest.fixture
def gpu(client: Client) -> str:
    client.queues.create(Queue(name="gpu", resource="stub"))
    return "gpu"


def test_a_queue_is_drained_when_its_live_run_has_ended(client: Client, gpu: str, agent: HandAgent) -> None:
    # Given a live run, and one that waits
    live = agent.start(client.launch(queue=gpu, source="a:1").id)
    waiting = client.launch(queue=gpu, source="a:1")

    # When
    left = drain(client, gpu, cancel_waiting=True)

    # Then those that wait are cancelled, and the live one is waited for
    assert next(left) == {State.RUNNING: 1}
    assert waiting.refresh().state is State.CANCELLED
    with pytest.raises(Conflict, match="takes no launches any more"):
        client.launch(queue=gpu, source="a:1")
    agent.finish(live)
    assert list(left) == []
    client.queues.delete(gpu)


def test_without_a_word_of_them_waiting_runs_are_carried_out(client: Client, gpu: str, agent: HandAgent) -> None:
    # Given
    waiting = client.launch(queue=gpu, source="a:1")

    # When
    left = drain(client, gpu)

    # Then
    assert next(left) == {State.QUEUED: 1}
    agent.finish(agent.start(waiting.id))
    assert list(left) == []


def test_a_drain_that_is_called_off_leaves_the_queue_as_it_was(client: Client, gpu: str) -> None:
    # Given a drain that somebody stopped
    client.launch(queue=gpu, source="a:1")
    next(drain(client, gpu))

    # When
    client.queues.set_draining(gpu, False)

    # Then
    assert client.launch(queue=gpu, source="a:1").run.state is State.QUEUED
