"""What Celery keeps of a run while it lives."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Task
from celery.worker import state as worker_state
from kombu import Message

from broker_config import messages
from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Run, RunSpec, new_run_id, now
from broker_config.states import Reason, State
from workers.gate import Gate
from workers.requests import Ledger, RunRequest

RUNS = 500
BYTES_OF_A_REQUEST = 5000
"""An order takes 20,000 and more, as bytes and decoded."""

HOST = "agent@test"


class OrderTask(Task):  # type: ignore[type-arg]
    """Whose requests are the ledger's; nothing here carries an order out."""

    name = messages.RUN_TASK
    acks_late = True
    ledger: Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    app = Celery("test", broker="memory://", set_as_current=False)
    task: Any = app.register_task(OrderTask())
    task.ledger = Ledger(task, Gate(-1))
    yield task.ledger
    worker_state.reset_state()


def a_run() -> Run:
    env = {f"SETTING_{number}": "value " * 8 for number in range(40)}
    spec = RunSpec(
        id=new_run_id(),
        name="train-1",
        queue=Queue(name="gpu", resource="stub"),
        queue_revision=1,
        job=Job(source=ImageSource(image="team/train:1"), env=env),
        priority=Priority.HIGH,
        author="alice",
        created_at=now(),
    )
    return Run(spec=spec, version=1, state=State.RUNNING, since=now(), reason=Reason.RUNNING)


def received(ledger: Ledger, run: Run, acknowledged: list[str]) -> RunRequest:
    """The request for an order as Celery makes it of the broker's message, and begun."""
    order = json.loads(messages.encode(run.spec, run.spec.model_dump_json()))
    properties = order["properties"]
    message = Message(
        body=base64.b64decode(order["body"]).decode(),
        headers=order["headers"],
        properties=properties,
        content_type=order["content-type"],
        content_encoding=order["content-encoding"],
        delivery_info=properties["delivery_info"],
        accept=["application/json"],
    )
    task: Any = ledger._task
    request = RunRequest(message, on_ack=lambda *_: acknowledged.append(run.id), app=task.app, hostname=HOST, task=task)
    request.on_accepted(1, 0.0)
    return request


def test_a_run_is_shown_as_before_when_its_order_was_let_go(ledger: Ledger) -> None:
    # Given
    run, acknowledged = a_run(), list[str]()
    request = received(ledger, run, acknowledged)
    before = request.info()
    # When
    request.on_success((False, None, 0.1))
    # Then
    assert acknowledged == [run.id]
    assert request.info() == {**before, "acknowledged": True}
    assert before["kwargs"] == "queue=gpu priority=high name=train-1"
    assert request in worker_state.active_requests
    # When it is acknowledged once more, as by a worker that stops
    request.acknowledge()
    # Then
    assert acknowledged == [run.id]


def test_a_run_that_is_taken_up_without_a_message_is_shown_as_one_with_it(ledger: Ledger) -> None:
    # Given
    run, other = a_run(), a_run()
    request = received(ledger, run, [])
    request.on_success((False, None, 0.1))
    # When
    ledger.adopt(other, HOST)
    # Then
    adopted = next(one for one in worker_state.active_requests if one.id == other.id)
    differs = {"id", "time_start", "worker_pid", "delivery_info"}
    assert {**adopted.info(), **dict.fromkeys(differs)} == {**request.info(), **dict.fromkeys(differs)}
    assert adopted.delivery_info["routing_key"] == request.delivery_info["routing_key"] == "gpu"


def test_a_live_run_does_not_keep_its_order(ledger: Ledger) -> None:
    # Given
    runs, acknowledged = [a_run() for _ in range(RUNS)], list[str]()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        # When half of them come with messages
        for number, run in enumerate(runs):
            if number % 2:
                ledger.adopt(run, HOST)
            else:
                received(ledger, run, acknowledged).on_success((False, None, 0.1))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Then
    assert len(worker_state.active_requests) == RUNS
    assert used / RUNS < BYTES_OF_A_REQUEST
