"""Retries, timeouts, times and dependencies on the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker_config.queues import QueueRecord
from broker_config.runs import now
from broker_config.states import FailureClass, Hold, Reason, State
from broker_config.store import Store
from broker_config.store.changes import Change
from tests.producer.cli.conftest import Call


def test_a_queue_takes_its_policies_as_json_or_yaml_and_shows_them(launchyard: Call) -> None:
    # When
    policies = ("--retries", '{"user": 1, "retry_on": [75]}', "--timeouts", "run: 60")
    launchyard("queue", "create", "gpu", "-r", "stub", *policies)

    # Then
    shown = launchyard("queue", "show", "gpu", "--json").json
    assert (shown["retries"]["user"], shown["retries"]["retry_on"], shown["retries"]["infra"]) == (1, [75], 2)
    assert shown["timeouts"] == {"queued": None, "build": None, "start": None, "run": 60.0}
    assert "run: 60.0" in launchyard("queue", "show", "gpu").out
    # And an edit replaces the one that it names
    launchyard("queue", "edit", "gpu", "--retries", "infra: 0")
    shown = launchyard("queue", "show", "gpu", "--json").json
    assert (shown["retries"]["user"], shown["retries"]["infra"], shown["timeouts"]["run"]) == (0, 0, 60.0)


@pytest.mark.parametrize(("text", "is_held"), [("600", True), ("2100-01-31T08:00", True), ("2000-01-01T00:00Z", False)])
def test_a_time_is_seconds_from_now_or_a_date(
    launchyard: Call, store: Store, queue: QueueRecord, text: str, is_held: bool
) -> None:
    # When
    answer = launchyard("launch", "-q", "gpu-queue", "--image", "x", "--not-before", text)

    # Then
    run = store.runs.get(answer.out.strip())
    assert (run.hold is Hold.TIME) is is_held
    assert ("not before" in launchyard("show", run.id).out) is is_held


def test_a_text_that_is_no_time_is_refused(launchyard: Call, queue: QueueRecord) -> None:
    answer = launchyard("launch", "-q", "gpu-queue", "--image", "x", "--not-before", "tomorrow")

    assert answer.code == 3
    assert "--not-before 'tomorrow' is no time; give seconds from now, or one like" in answer.err


def test_runs_to_wait_for_may_be_named_by_the_beginning_of_their_ids(
    launchyard: Call, store: Store, queue: QueueRecord
) -> None:
    # Given
    first = launchyard("launch", "-q", "gpu-queue", "--image", "x").out.strip()

    # When
    second = launchyard("launch", "-q", "gpu-queue", "--image", "x", "--after", first[:10]).out.strip()

    # Then
    assert store.runs.get(second).spec.after == (first,)
    assert first in launchyard("show", second).out
    assert launchyard("show", second, "--json").json["after"] == [first]


def test_show_tells_the_attempt_the_failures_before_it_and_when_it_comes(
    launchyard: Call, store: Store, queue: QueueRecord
) -> None:
    # Given a run that waits for its second attempt
    run = store.runs.get(launchyard("launch", "-q", "gpu-queue", "--image", "x").out.strip())
    store.agents.take("agent@hand", "session", 60)
    _, claimed = store.runs.claim(run.spec, "agent@hand", 1, "session")
    assert claimed is not None
    fields = {"attempt": 2, "retries_infra": 1, "hold": Hold.TIME, "not_before": now() + timedelta(hours=1)}
    store.runs.change(claimed, Change(State.QUEUED, Reason.RETRYING, "Again.", "agent@hand", {**fields, "agent": ""}))

    # When
    shown = launchyard("show", run.id)

    # Then
    assert "2 (1 after infra)" in shown.out
    assert "not before" in shown.out
    document = launchyard("show", run.id, "--json").json
    assert (document["attempt"], document["retries"]) == (2, {FailureClass.INFRA: 1})
