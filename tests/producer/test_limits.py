"""What a launch asks of time, of other runs, and of its queue's policies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue, QueueRecord
from broker_config.retries import RetryPolicy
from broker_config.states import Hold
from broker_config.store import Store
from broker_config.timeouts import Timeouts
from producer import Client

IMAGE = "python:3.11"
SOON = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def queue(store: Store) -> QueueRecord:
    limits = {"retries": RetryPolicy(user=2), "timeouts": Timeouts(run=60)}
    return store.queues.create(Queue(name="q", resource="stub").model_copy(update=limits))


def test_a_launch_may_name_a_time_or_seconds_from_now(client: Client, queue: QueueRecord) -> None:
    # When
    at = client.launch(queue="q", source=IMAGE, not_before=SOON).run
    later = client.launch(queue="q", source=IMAGE, not_before=600).run
    past = client.launch(queue="q", source=IMAGE, not_before=SOON - timedelta(days=40_000)).run

    # Then
    assert (at.hold, at.not_before) == (Hold.TIME, SOON)
    assert later.not_before is not None
    assert timedelta(seconds=595) < later.not_before - later.spec.created_at < timedelta(seconds=605)
    assert past.hold is None


def test_a_time_without_its_zone_is_refused(client: Client, queue: QueueRecord) -> None:
    with pytest.raises(InvalidRequest, match="not_before"):
        client.launch(queue="q", source=IMAGE, not_before=SOON.replace(tzinfo=None))


def test_a_launch_may_wait_for_runs(client: Client, queue: QueueRecord) -> None:
    # Given
    first = client.launch(queue="q", source=IMAGE)

    # When
    run = client.launch(queue="q", source=IMAGE, after=[first.id]).run

    # Then
    assert (run.hold, run.spec.after) == (Hold.RUNS, (first.id,))


def test_a_run_that_does_not_exist_cannot_be_waited_for(client: Client, store: Store, queue: QueueRecord) -> None:
    with pytest.raises(InvalidRequest, match="no run has the id 'nobody'"):
        client.launch(queue="q", source=IMAGE, after=["nobody"])

    assert not list(store.runs.newest())


def test_a_job_narrows_what_its_queue_allows(client: Client, queue: QueueRecord) -> None:
    spec = client.launch(queue="q", source=IMAGE, retries={"user": 1}, timeouts={"run": 9, "start": 5}).run.spec

    assert (spec.retries.user, spec.retries.infra) == (1, 2)
    assert spec.timeouts == Timeouts(run=9, start=5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"retries": {"user": 3}}, "3 retries of class 'user', and the queue allows 2"),
        ({"timeouts": {"run": 61}}, "run may take 61 s, and the queue allows 60 s"),
        ({"retries": {"retry_on": [1]}}, "retry_on"),
    ],
)
def test_a_job_that_asks_for_more_is_refused_and_nothing_is_written(
    client: Client, store: Store, queue: QueueRecord, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        client.launch(queue="q", source=IMAGE, **fields)  # type: ignore[arg-type]

    assert not list(store.runs.newest())
