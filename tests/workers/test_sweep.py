"""What is left at targets: ended runs' objects are released, unknown ones only told of."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.queues import QueueRecord
from broker_config.runs import State
from broker_config.store import Store
from tests.integration.conftest import Runs
from workers import sweep
from workers.sweep import Sweeper
from workers.targets.protocol import Request
from workers.targets.stub import StubTarget

BODY = {"seconds": 0.0, "exit_code": 0, "lines": [], "ignores_cancel": False}


@pytest.fixture
def stub(home: Path) -> StubTarget:
    return StubTarget(home)


def test_the_object_of_a_run_that_has_ended_is_released(
    store: Store, queue: QueueRecord, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run that ended, whose agent died before the release
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    (run_id,) = Runs(store).enqueue(queue)
    run = store.runs.request_cancel(store.runs.get(run_id), "tester")
    assert run.state is State.CANCELLED
    stub.submit(Request(run.object_name, BODY))

    # When
    Sweeper(store.runs, lambda: [stub]).sweep()

    # Then
    assert stub.inventory() == []


def test_the_object_of_a_run_that_waits_or_runs_is_left_alone(
    store: Store, queue: QueueRecord, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    (run_id,) = Runs(store).enqueue(queue)
    name = store.runs.get(run_id).object_name
    stub.submit(Request(name, BODY))

    # When
    Sweeper(store.runs, lambda: [stub]).sweep()

    # Then
    assert stub.inventory() == [name]


def test_an_object_of_no_known_run_is_told_of_once_and_left_alone(
    store: Store, stub: StubTarget, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    stub.submit(Request("launchyard-aaaaaaaaaaaa-1", BODY))
    sweeper = Sweeper(store.runs, lambda: [stub])

    # When
    with caplog.at_level(logging.WARNING):
        sweeper.sweep()
        sweeper.sweep()

    # Then
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "object-orphaned name=launchyard-aaaaaaaaaaaa-1"
    ]
    assert stub.inventory() == ["launchyard-aaaaaaaaaaaa-1"]
