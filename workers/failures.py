"""How a step of a run fails for good. What is worth another try is a `TemporaryError` of `broker_config.errors`."""

from __future__ import annotations

from broker_config.errors import LaunchyardError
from broker_config.states import FailureClass, Reason


class RunFailed(LaunchyardError):
    """The run cannot succeed; its author is told the text, which keeps the platform's own words."""

    code = "run-failed"

    def __init__(self, failure: FailureClass, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.reason = reason


class RunCancelled(LaunchyardError):
    """The wish to cancel was seen before anything was submitted."""

    code = "run-cancelled"
