"""What a queue's owner wrote down reaches the target, and holds against who leaves the producer out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker_config.jobs import ImageSource
from broker_config.queues import QueueRecord, parse_queue
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from producer import Client
from tests.agents import AgentProcess
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with Client(settings) as client:
        yield client


@pytest.fixture
def lab(
    store: Store, settings: Settings, agent: Callable[..., AgentProcess], monkeypatch: pytest.MonkeyPatch
) -> QueueRecord:
    """A queue with a template variable and macros, of which a job may override one field, and an agent."""
    fields = {
        "name": "lab",
        "resource": "stub",
        "config": {"lines": ["{{size}} ${run_name} ${REGION}"]},
        "template_variables": {"size": {"type": "string", "enum": ["small", "large"]}},
        "overridable": ["/seconds"],
    }
    record = store.queues.create(parse_queue(fields))
    monkeypatch.setenv("REGION", "eu")
    (settings.home / "launch-config.yaml").write_text("macro_environment: [REGION]")
    agent("lab").start()
    return record


def test_a_target_gets_the_config_with_everything_filled(lab: QueueRecord, runs: Runs, store: Store) -> None:
    # When
    ids = runs.enqueue(lab, fields={"template_values": {"size": "large"}}, seconds=0.1)

    # Then
    runs.wait(ids, State.SUCCEEDED)
    assert [line for entry in store.logs.read(ids[0]) for line in entry.lines] == ["large test eu"]


@pytest.mark.parametrize(
    ("values", "overrides", "text"),
    [
        ({"size": "large"}, {"lines": ["x"]}, "a job may not override '/lines/0'; it may override: /seconds"),
        ({"size": "huge"}, {}, "template variable 'size' is 'huge' and must be one of \"small\", \"large\""),
        ({}, {}, "needs a value for template variable 'size'"),
    ],
)
def test_a_run_that_was_written_past_the_producer_is_refused_before_it_is_built(
    lab: QueueRecord, runs: Runs, stub: StubTarget, values: Any, overrides: Any, text: str
) -> None:
    # When
    (run,) = runs.wait(runs.enqueue(lab, fields={"template_values": values}, **overrides), State.FAILED)

    # Then
    assert (run.failure, run.reason) == (FailureClass.CONFIG, Reason.CONFIG_INVALID)
    assert text in run.text
    assert stub.submissions() == []


def test_an_agent_carries_out_what_was_planned_and_nothing_else(
    queue: QueueRecord, client: Client, agent: Callable[..., AgentProcess], runs: Runs, stub: StubTarget
) -> None:
    # Given a plan that is launched, and a run that says of another request that it was planned
    agent(queue.name).start()
    kept = client.launch_plan(client.plan(queue=queue.name, source=ImageSource(image="stub")))
    forged = runs.enqueue(queue, fields={"planned": "0" * 32})

    # When both have ended
    runs.wait([kept.id], State.SUCCEEDED)
    (run,) = runs.wait(forged, State.FAILED)

    # Then the second was never submitted
    assert (run.failure, run.reason) == (FailureClass.CONFIG, Reason.PLAN_DIFFERS)
    assert run.submission == ""
