"""Which failures are tried again, how often and when; and what a job may change of it."""

from __future__ import annotations

import pytest

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue, parse_queue
from broker_config.retries import LONGEST_BACKOFF_SECONDS, JobRetries, RetryPolicy

DEFAULTS = {"user": 0, "config": 0, "build": 0, "infra": 2, "preempted": 5, "timeout": 0}


def test_a_queue_that_says_nothing_retries_what_the_platform_did_and_nothing_else() -> None:
    policy = Queue(name="q", resource="stub").retries

    assert {name: getattr(policy, name) for name in DEFAULTS} == DEFAULTS
    assert (policy.backoff_seconds, policy.retry_on, policy.fail_on) == (10.0, (), ())


@pytest.mark.parametrize(
    ("failure", "exit_code", "used", "delay"),
    [
        # The budget, and no more.
        ("infra", None, 0, 10),
        ("infra", None, 1, 20),
        ("infra", None, 2, None),
        ("preempted", None, 4, 160),
        ("preempted", None, 5, None),
        ("config", None, 0, None),
        ("build", 1, 0, None),
        ("timeout", None, 0, None),
        # No policy covers what a person wished.
        ("cancelled", None, 0, None),
        # The exit codes of the job's own failures.
        ("user", 75, 0, 10),
        ("user", 75, 3, None),
        ("user", 1, 0, None),
        ("user", None, 0, None),
        # They say nothing of other classes.
        ("infra", 1, 0, 10),
        ("infra", 2, 0, 10),
    ],
)
def test_a_failure_is_tried_again_within_the_budget_of_its_class(
    failure: str, exit_code: int | None, used: int, delay: float | None
) -> None:
    policy = RetryPolicy(user=3, retry_on=(75, 76), fail_on=(2,))

    assert policy.delay(failure, exit_code, used) == delay


@pytest.mark.parametrize(("exit_code", "is_retried"), [(1, True), (2, False), (None, True)])
def test_without_retry_on_every_exit_code_is_tried_again_but_those_of_fail_on(
    exit_code: int | None, is_retried: bool
) -> None:
    policy = RetryPolicy(user=1, fail_on=(2,))

    assert (policy.delay("user", exit_code, 0) is not None) is is_retried


def test_the_delay_doubles_up_to_an_hour() -> None:
    policy = RetryPolicy(infra=100, backoff_seconds=60)

    assert [policy.delay("infra", None, used) for used in (0, 1, 5, 6, 99)] == [
        60,
        120,
        1920,
        LONGEST_BACKOFF_SECONDS,
        LONGEST_BACKOFF_SECONDS,
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"retry_on": [75]}, "retry_on has no effect while the budget 'user' is 0"),
        ({"user": 1, "retry_on": [1, 2], "fail_on": [2]}, r"exit codes \[2\] are in retry_on and in fail_on"),
        ({"infra": -1}, "retries.infra"),
        ({"infras": 1}, "unknown field 'retries.infras'"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_queue({"name": "q", "resource": "stub", "retries": fields})


def test_a_job_lowers_budgets_and_adds_exit_codes_that_fail() -> None:
    # Given
    policy = RetryPolicy(user=3, retry_on=(75, 76), fail_on=(2,))
    job = JobRetries(user=1, infra=0, fail_on=(76,))

    # When
    job.check(policy, "q")
    narrowed = job.narrow(policy)

    # Then
    assert (narrowed.user, narrowed.infra, narrowed.preempted) == (1, 0, 5)
    assert narrowed.delay("user", 75, 0) == 10
    assert narrowed.delay("user", 76, 0) is None
    assert narrowed.fail_on == (2, 76)


def test_a_job_that_asks_for_more_than_its_queue_allows_is_refused_with_every_excess() -> None:
    with pytest.raises(InvalidRequest) as caught:
        JobRetries(user=1, infra=9, preempted=5).check(RetryPolicy(), "gpu")

    assert str(caught.value) == (
        "queue 'gpu': the job asks for 1 retries of class 'user', and the queue allows 0; 9 retries of class 'infra', "
        "and the queue allows 2. A job may only lower them; leave them out, or have the queue raised with: "
        "launchyard queue edit gpu --retries JSON"
    )


def test_a_queue_that_was_tightened_meanwhile_holds_against_the_job() -> None:
    assert JobRetries(infra=2).narrow(RetryPolicy(infra=1)).infra == 1
