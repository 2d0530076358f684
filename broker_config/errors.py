"""The error taxonomy: whose fault is it, and is it worth another try?

Every message says what is wrong, which thing it is, and the cure. Duplicates and cancellations are outcomes, not
errors, and so are not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar

from broker_config.findings import Finding


class LaunchyardError(Exception):
    """Root of everything that Launchyard raises on purpose.

    `code` is stable and meant for machines; the text is meant for people.
    """

    code: ClassVar[str] = "error"


class InvalidRequest(LaunchyardError):
    """The caller's input cannot be accepted. Nothing was written."""

    code = "invalid-request"


class InvalidConfig(InvalidRequest):
    """A queue's config cannot work; `findings` says where, and warnings are among them. Nothing was written."""

    code = "invalid-config"

    def __init__(self, message: str, findings: Sequence[Finding]) -> None:
        super().__init__(message)
        self.findings = findings


class NotFound(LaunchyardError):
    """The named queue, run or stored archive does not exist."""

    code = "not-found"


class CodeNotStored(NotFound):
    """The run's code archive is not in the store, or no longer."""

    code = "code-not-stored"

    def __init__(self, digest: str) -> None:
        super().__init__(f"the code archive {digest} is not in the store; launch again from the code")


class Conflict(LaunchyardError):
    """The name or idempotency key is taken by something else."""

    code = "conflict"


class StaleWrite(LaunchyardError):
    """The record changed, or another agent holds it, since it was read. Read it again and decide anew."""

    code = "stale-write"


class ConfigError(LaunchyardError):
    """A configuration of this process cannot work; it stops the process at its start."""

    code = "config"


class NotIdentified(LaunchyardError):
    """The server does not know who asks."""

    code = "not-identified"


class TemporaryError(LaunchyardError):
    """Worth another try after a delay: a service did not answer, or asked to wait."""

    code = "temporary"

    def __init__(self, message: str, *, delay_seconds: float = 5.0) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds


class BrokerUnavailable(TemporaryError):
    """The broker cannot be reached, or is not ready."""

    code = "broker-unavailable"


class BrokerFull(TemporaryError):
    """The broker has no memory left for what was to be written. Nothing of it was."""

    code = "broker-full"


class TooManyRequests(TemporaryError):
    """The server was asked too often; after a while it answers again."""

    code = "too-many-requests"


class QueueFull(TemporaryError):
    """The queue has as many runs waiting as it may have. Nothing was written."""

    code = "queue-full"


class NotReplicated(TemporaryError):
    """The broker has what was written, and fewer replicas have it than the settings ask for."""

    code = "not-replicated"


class NotPermitted(TemporaryError):
    """The broker's user, or the author on a private queue, lacks a right.

    It stops an agent at its start and fails a producer's call. Temporary all the same: rights can be
    changed under a running agent, and its runs must not pay for that.
    """

    code = "not-permitted"


class RunUnsuccessful(LaunchyardError):
    """The run that was waited for ended, and not by success."""

    code = "run-unsuccessful"


class WaitTimeout(LaunchyardError):
    """The run did not end within the time that the caller gave."""

    code = "wait-timeout"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The clause that names near misses, or what there is, ready to be appended to a message."""
    choices = sorted(known)
    if near := get_close_matches(word, choices, n=1):
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(choices)}" if choices else ""
