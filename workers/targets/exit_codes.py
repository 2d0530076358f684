"""Whose fault an exit code is, the same on every target."""

from __future__ import annotations

import signal

from broker_config.runs import FailureClass

FROM_OUTSIDE = frozenset(128 + number for number in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM))
"""What a shell and a container engine make of a job that one of these signals has ended.

Jobs send them to nobody but themselves, and whoever sent one is not known: the host, its shutdown, a person. Kubeflow's
Training Operator counts the same three as worth another try (restart policy ExitCode).
"""


def failure_of(exit_code: int | None) -> FailureClass:
    """The class of a failure of which nothing else is known: no cancel, no limit of memory or time."""
    return FailureClass.INFRA if exit_code in FROM_OUTSIDE else FailureClass.USER
