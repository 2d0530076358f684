"""What the end of an attempt means for its run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.retries import RetryPolicy
from broker_config.runs import Run, RunSpec, new_run_id, now
from broker_config.states import FailureClass, Hold, Reason, State
from broker_config.timeouts import Timeouts
from workers import quarantine
from workers.deadlines import next_look, passed
from workers.targets.protocol import Observation, Phase
from workers.verdict import verdict

AT = now()
GONE = Observation(Phase.FAILED, Reason.OBJECT_GONE, "It is gone.", failure=FailureClass.INFRA)
STOPPED = Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, "It was stopped.")
LOST = Observation(Phase.FAILED, Reason.EXITED, "The node died.", failure=FailureClass.INFRA)
FAULT = Observation(Phase.FAILED, Reason.AGENT_FAULT, "The agent failed.", failure=FailureClass.INFRA)
DONE = Observation(Phase.SUCCEEDED, Reason.EXITED, "It ended.", 0)


def run_with(timeouts: Timeouts | None = None, **fields: object) -> Run:
    queue = Queue(name="q", resource="stub", retries=RetryPolicy(timeout=1), timeouts=timeouts or Timeouts(run=60))
    spec = RunSpec(
        id=new_run_id(),
        name="test",
        queue=queue,
        queue_revision=1,
        job=Job(source=ImageSource(image="x")),
        priority=Priority.MEDIUM,
        author="tester",
        created_at=AT,
    )
    known = {"version": 1, "state": State.RUNNING, "since": AT, "reason": Reason.RUNNING, "submission": "object"}
    return Run.model_validate({**known, **fields, "spec": spec})


@pytest.mark.parametrize(
    ("fields", "seen", "state", "reason"),
    [
        ({}, DONE, State.SUCCEEDED, Reason.EXITED),
        ({}, STOPPED, State.CANCELLED, Reason.CANCELLED_BY_USER),
        ({}, LOST, State.QUEUED, Reason.RETRYING),
        ({"retries_infra": 2}, LOST, State.FAILED, Reason.EXITED),
        # Who asked for the end of a run does not want another attempt.
        ({"cancel_requested_by": "alice"}, LOST, State.FAILED, Reason.EXITED),
        # The job may run still.
        ({}, FAULT, State.FAILED, Reason.AGENT_FAULT),
        ({"submission": ""}, FAULT, State.QUEUED, Reason.RETRYING),
        # Ended by its agent, and gone.
        ({"end_reason": "run-timeout", "retries_timeout": 1}, STOPPED, State.FAILED, Reason.RUN_TIMEOUT),
        ({"end_reason": "run-timeout", "retries_timeout": 1}, GONE, State.FAILED, Reason.RUN_TIMEOUT),
        ({"end_reason": "run-timeout"}, STOPPED, State.QUEUED, Reason.RETRYING),
        # It succeeded, or a person was first.
        ({"end_reason": "run-timeout"}, DONE, State.SUCCEEDED, Reason.EXITED),
        ({"end_reason": "run-timeout", "cancel_requested_by": "alice"}, STOPPED, State.CANCELLED, STOPPED.reason),
        ({"end_reason": "quarantined", "crash_evidence": "4 died"}, STOPPED, State.FAILED, Reason.QUARANTINED),
    ],
)
def test_the_record_and_what_was_seen_decide(
    fields: dict[str, object], seen: Observation, state: State, reason: Reason
) -> None:
    failure = FailureClass.CANCELLED if seen.phase is Phase.CANCELLED else seen.failure

    found = verdict(run_with(**fields), seen, failure, AT)

    assert (found.state, found.reason) == (state, reason)


def test_the_next_attempt_is_counted_and_held_until_its_backoff_is_over() -> None:
    found = verdict(run_with(attempt=2, retries_infra=1, started_at=AT), LOST, FailureClass.INFRA, AT)

    assert found.fields["attempt"] == 3
    assert found.fields["retries_infra"] == 2
    assert found.fields["hold"] is Hold.TIME
    assert found.fields["not_before"] == AT + timedelta(seconds=20)
    assert (found.fields["submission"], found.fields["started_at"], found.fields["failure"]) == ("", None, None)
    assert found.text == "Failed (infra, exited): The node died. Attempt 3 follows in 20 s, retry 2 of 2."


@pytest.mark.parametrize(
    ("fields", "after_seconds", "reason", "look_seconds"),
    [
        ({"state": "running", "started_at": AT}, 59, None, 60),
        ({"state": "running", "started_at": AT}, 60, Reason.RUN_TIMEOUT, 60),
        ({"state": "starting", "submitted_at": AT}, 29, None, 30),
        ({"state": "starting", "submitted_at": AT}, 30, Reason.START_TIMEOUT, 30),
        # It may begin to run at any time.
        ({"state": "starting", "submitted_at": AT}, -40, None, 20),
        ({"state": "claimed"}, 5, None, 35),
        ({"state": "running", "started_at": AT, "end_reason": "run-timeout"}, 61, Reason.RUN_TIMEOUT, 66),
    ],
)
def test_limits_are_counted_from_the_records_timestamps(
    fields: dict[str, object], after_seconds: float, reason: Reason | None, look_seconds: float
) -> None:
    run = run_with(**fields)
    limits = Timeouts(start=30, run=60)
    at = AT + timedelta(seconds=after_seconds)

    assert passed(run, limits, at) is reason
    assert next_look(run, limits, at) == AT + timedelta(seconds=look_seconds)


@pytest.mark.parametrize(
    ("state", "reason", "is_counted"),
    [
        ("claimed", "claimed", True),
        ("building", "building", True),
        ("submitting", "adopted", True),
        ("submitting", "released", False),  # its agent was stopped
        ("starting", "starting", False),
        ("running", "running", False),
    ],
)
def test_only_agents_that_died_before_the_job_started_are_counted(state: str, reason: str, is_counted: bool) -> None:
    counted = quarantine.counted(run_with(state=state, reason=reason, agent="first"), AT)

    assert bool(counted) is is_counted


def test_the_fourth_crash_ends_the_run_with_all_that_is_known() -> None:
    # Given
    run = run_with(state="building", agent="agent1")
    for number in (2, 3, 4):
        counted = quarantine.counted(run, AT)
        assert "end_reason" not in counted
        run = run.model_copy(update={**counted, "agent": f"agent{number}"})

    # When
    counted = quarantine.counted(run, AT)

    # Then
    assert counted["end_reason"] is Reason.QUARANTINED
    assert all(f"building by agent{number} since" in counted["crash_evidence"] for number in (1, 2, 3, 4))
