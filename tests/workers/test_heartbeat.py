"""The heartbeat goes on whatever becomes of a duty."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from broker_config.errors import BrokerUnavailable
from tests.agents import eventually
from workers.heartbeat import Heartbeat


class Duties:
    """One duty that fails in some way, and one that counts."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.failures = 0
        self.beats = 0

    def fail(self) -> None:
        self.failures += 1
        raise self._error

    def count(self) -> None:
        self.beats += 1


@pytest.mark.parametrize("error", [BrokerUnavailable("gone"), ZeroDivisionError()])
def test_a_duty_that_fails_is_called_again_and_holds_up_no_other(error: Exception) -> None:
    # Given
    duties, heartbeat = Duties(error), Heartbeat()
    heartbeat.every(0.01, duties.fail)
    heartbeat.every(0.01, duties.count)

    # When
    heartbeat.start()

    # Then
    eventually(lambda: duties.failures > 2 and duties.beats > 2, "both are called again and again")
    heartbeat.stop()
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_duty_without_a_name_is_refused_before_the_start() -> None:
    # Given what the log could not name when it fails
    nameless: Callable[[], None] = partial(int)  # type: ignore[assignment]

    # Then
    with pytest.raises(AttributeError):
        Heartbeat().every(1, nameless)
