"""Whose fault an exit code is, the same on every target."""

from __future__ import annotations

import signal

from broker_config.states import FailureClass

FROM_OUTSIDE = frozenset(128 + number for number in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM))
"""What a shell and a container engine make of a job that one of these signals has ended.

Jobs send them to nobody but themselves, and whoever sent one is not known: the host, its shutdown, a person. The other
signals tell of the job's own fault, such as 134 (SIGABRT) and 139 (SIGSEGV). Kubeflow's Training Operator draws the
line elsewhere: with restart policy ExitCode every code from 128 on is worth another try (v1, `IsRetryableExitCode`).
"""


def failure_of(exit_code: int | None) -> FailureClass:
    """The class of a failure of which nothing else is known: no cancel, no limit of memory or time."""
    return FailureClass.INFRA if exit_code in FROM_OUTSIDE else FailureClass.USER
