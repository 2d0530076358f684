"""How long runs may take, and what a job may change of it."""

from __future__ import annotations

import pytest

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue
from broker_config.timeouts import Timeouts


def test_a_queue_that_says_nothing_has_no_limit() -> None:
    assert Queue(name="q", resource="stub").timeouts == Timeouts(queued=None, build=None, start=None, run=None)


def test_of_the_queues_and_the_jobs_limit_the_shorter_one_holds() -> None:
    narrowed = Timeouts(build=60, run=60, start=9).narrow(Timeouts(queued=5, run=100, start=3))

    assert narrowed == Timeouts(queued=5, build=60, start=3, run=60)


def test_a_job_that_wants_longer_than_its_queue_allows_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Timeouts(queued=7200, build=60, run=90).check(Timeouts(queued=3600, run=90), "gpu")

    assert str(caught.value).startswith(
        "queue 'gpu': the job asks that queued may take 7200 s, and the queue allows 3600 s. "
    )


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_limit_is_longer_than_nothing(seconds: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Timeouts(run=seconds)
