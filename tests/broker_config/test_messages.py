"""The message: what the installed Celery would have written, and what a stock worker takes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config import messages
from broker_config.celery_app import create_app
from broker_config.errors import InvalidRequest
from broker_config.priorities import Priority, list_key
from broker_config.queues import QueueRecord
from broker_config.runs import RunSpec
from broker_config.settings import Settings, environment_for
from tests.agents import eventually
from tests.broker_config.conftest import Hand, launch_of, spec_of

STOCK_APP = Path(__file__).parent / "stock_app.py"

# What our messages have otherwise than Celery's own, and why.
DIFFERENCES = {
    "headers.argsrepr": "a job's arguments are nobody's business but the agent's",
    "headers.kwargsrepr": "the same; queue, priority and name of the run are what Flower shows",
    "headers.ignore_result": "the store writes the result with the record",
    "headers.origin": "another process wrote it",
    "headers.id": "another task",
    "headers.root_id": "another task",
    "properties.correlation_id": "another task",
    "properties.delivery_tag": "random for each message",
    "properties.reply_to": "only Celery's RPC result backend reads it",
}


def flat(envelope: dict[str, Any]) -> dict[str, Any]:
    """The envelope with its two sections of fields opened up, and without its body."""
    fields: dict[str, Any] = {key: value for key, value in envelope.items() if not isinstance(value, dict | str)}
    fields |= {key: envelope[key] for key in ("content-type", "content-encoding")}
    for section in ("headers", "properties"):
        fields |= {f"{section}.{key}": value for key, value in envelope[section].items()}
    return fields


def body_of(envelope: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(envelope["body"]))


@pytest.fixture
def spec(queue: QueueRecord) -> RunSpec:
    return spec_of(queue, launch_of(queue, Priority.HIGH, text='a "quote", a \\ and an ü'))


@pytest.fixture
def ours(spec: RunSpec) -> dict[str, Any]:
    text = messages.encode(spec, spec.model_dump_json())
    return dict(json.loads(text))


@pytest.fixture
def theirs(settings: Settings, client: Any, spec: RunSpec) -> dict[str, Any]:
    """What the installed Celery and kombu write for the same task with the same arguments."""
    create_app(settings).send_task(
        messages.RUN_TASK, kwargs={"spec": spec.model_dump(mode="json")}, queue=spec.queue.name, priority=spec.priority
    )
    (text,) = client.lrange(list_key(spec.queue.name, spec.priority), 0, -1)
    return dict(json.loads(text))


def test_the_envelope_is_what_the_installed_celery_writes(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    # When
    mine, stock = flat(ours), flat(theirs)

    # Then
    assert mine.keys() == stock.keys()
    assert {field for field in mine if mine[field] != stock[field]} == DIFFERENCES.keys()


def test_the_body_is_what_the_installed_celery_writes(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert body_of(ours) == body_of(theirs)


def test_the_agent_reads_back_the_spec_that_was_sent(spec: RunSpec, ours: dict[str, Any]) -> None:
    # When
    _, kwargs, _ = body_of(ours)

    # Then
    assert messages.decode(**kwargs) == messages.Order(spec)


def test_outside_its_body_a_message_holds_nothing_of_the_job(spec: RunSpec, ours: dict[str, Any]) -> None:
    # When
    text = json.dumps({**ours, "body": ""})

    # Then
    assert ours["headers"]["kwargsrepr"] == f"queue=gpu-queue priority=high name={spec.name}"
    assert "hunter2" not in text
    assert "--lr" not in text


def test_the_id_of_the_run_is_read_from_a_message(spec: RunSpec, ours: dict[str, Any]) -> None:
    assert messages.run_id(json.dumps(ours)) == spec.id


@pytest.mark.parametrize("made_up", [{}, {"id": "x"}, {"id": "x", "nmae": "y"}])
def test_a_message_that_somebody_made_up_is_refused(made_up: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"message: .*field 'job' is missing"):
        messages.decode(made_up)


class StockWorker:
    """A plain Celery worker process that knows nothing of Launchyard, and the file in which its task writes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._out = settings.home / "consumed"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, queue: str) -> None:
        command = [sys.executable, "-m", "celery", "-A", "stock_app", "worker", "-Q", queue, "--pool", "solo"]
        with (self._settings.home / "stock.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--without-mingle", "--without-gossip", "--without-heartbeat"],
                cwd=STOCK_APP.parent,
                env=environment_for(
                    self._settings, STOCK_BROKER=str(self._settings.broker_url), STOCK_OUT=str(self._out)
                ),
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(30)

    def consumed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._out.read_text().splitlines()] if self._out.exists() else []


@pytest.fixture
def stock_worker(settings: Settings) -> Iterator[StockWorker]:
    worker = StockWorker(settings)
    yield worker
    worker.stop()


def test_a_stock_worker_takes_our_messages_of_every_priority_the_most_urgent_first(
    hand: Hand, stock_worker: StockWorker
) -> None:
    # Given
    runs = {priority: hand.enqueue(1, priority)[0] for priority in reversed(Priority)}

    # When
    stock_worker.start(hand.queue.name)
    eventually(lambda: len(stock_worker.consumed()) == 4, "four runs are taken", 60)

    # Then
    consumed = stock_worker.consumed()
    assert [taken["id"] for taken in consumed] == [runs[priority].id for priority in Priority]
    assert [RunSpec.model_validate(taken["spec"]) for taken in consumed] == [runs[level].spec for level in Priority]
