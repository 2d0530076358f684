"""Results: the installed Celery reads what the store writes."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError

from broker_config import results
from broker_config.celery_app import create_app
from broker_config.errors import RunUnsuccessful
from broker_config.settings import Settings
from broker_config.states import State
from tests.agents import eventually
from tests.broker_config.conftest import Hand


@pytest.fixture
def app(settings: Settings) -> Celery:
    return create_app(settings)


def test_a_queued_run_is_pending(app: Celery, hand: Hand) -> None:
    assert app.AsyncResult(hand.run_in(State.QUEUED).id).state == "PENDING"


def test_a_claimed_run_is_started_and_says_where(app: Celery, hand: Hand) -> None:
    # Given
    result = app.AsyncResult(hand.run_in(State.CLAIMED).id)

    # Then
    assert (result.state, result.info) == ("STARTED", {"hostname": "agent@hand"})


def test_a_run_that_went_back_to_its_queue_is_pending_again(app: Celery, hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)

    # When
    hand.requeue(run)

    # Then
    assert app.AsyncResult(run.id).state == "PENDING"


def test_a_succeeded_run_gives_its_exit_code(app: Celery, hand: Hand) -> None:
    # Given
    run = hand.move(hand.run_in(State.RUNNING), State.SUCCEEDED, exit_code=0)
    result = app.AsyncResult(run.id)

    # Then
    assert result.get(timeout=5) == {"run": run.id, "state": "succeeded", "exit_code": 0}
    assert (result.state, result.date_done) == ("SUCCESS", run.ended_at)


@pytest.mark.parametrize("state", [State.FAILED, State.PREEMPTED])
def test_a_failed_run_raises_with_its_text(app: Celery, hand: Hand, state: State) -> None:
    # Given
    run = hand.move(hand.run_in(State.RUNNING), state)
    result = app.AsyncResult(run.id)

    # Then
    with pytest.raises(RunUnsuccessful, match=f"{state}: It moved"):
        result.get(timeout=5)
    assert result.state == "FAILURE"


def test_a_cancelled_run_raises_as_a_revoked_task(app: Celery, hand: Hand) -> None:
    # Given
    run = hand.store.runs.request_cancel(hand.run_in(State.QUEUED), "bob")
    result = app.AsyncResult(run.id)

    # Then
    with pytest.raises(TaskRevokedError, match="Cancelled by bob"):
        result.get(timeout=5)
    assert result.state == "REVOKED"


def test_somebody_who_waits_for_the_result_is_woken_by_the_end(app: Celery, client: Any, hand: Hand) -> None:
    # Given a thread that waits, without polling
    run = hand.run_in(State.RUNNING)
    got: list[float] = []

    def wait() -> None:
        app.AsyncResult(run.id).get(timeout=20, interval=1000)
        got.append(time.monotonic())

    waiter = threading.Thread(target=wait)
    waiter.start()
    eventually(lambda: dict(client.pubsub_numsub(results.key(run.id)))[results.key(run.id)] == 1, "it waits")

    # When
    ended = time.monotonic()
    hand.move(run, State.SUCCEEDED, exit_code=0)
    waiter.join(20)

    # Then
    assert got
    assert got[0] - ended < 2


def test_a_result_expires_with_the_record(client: Any, settings: Settings, hand: Hand) -> None:
    # Given
    run = hand.move(hand.run_in(State.RUNNING), State.SUCCEEDED)

    # Then
    assert 0 < client.ttl(results.key(run.id)) <= settings.retention_seconds
