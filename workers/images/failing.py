"""Whose fault it is that an image was not built or not pushed, by the words of whoever failed."""

from __future__ import annotations

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.images.steps import Failure

_JOBS_OWN = ("did not complete successfully", "returned a non-zero code")
_PASSING = (
    "cannot connect to the docker daemon",
    "code = unavailable",
    "connection refused",
    "connection reset",
    "context canceled",
    "context deadline exceeded",
    "error reading from server",
    "i/o timeout",
    "no space left on device",
    "no such host",
    "server misbehaving",
    "tls handshake timeout",
    "toomanyrequests",
    "transport is closing",
    "unexpected eof",
    "was killed by",
)
"""Words for trouble of the machinery that may pass; a command of the Dockerfile that failed is the job's own."""

_NOT_PUSHED = "failed to push"
"""How BuildKit begins when it has built the image."""

_REFUSALS = (
    "denied",
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "forbidden",
    "insufficient",
)
"""Words of registries that another try will not change."""


def failed(failure: Failure, reference: str) -> RunFailed | TemporaryError:
    """What a failed build is to the run that wanted it. One that pushes what it has built may also fail in that."""
    if _NOT_PUSHED in failure.words:
        return not_pushed(reference, failure.words)
    is_jobs_own = any(said in failure.words for said in _JOBS_OWN)
    if not is_jobs_own and any(word in failure.words.lower() for word in _PASSING):
        return TemporaryError(f"the image could not be built: {failure.words}")
    step = f" at {failure.step}" if failure.step else ""
    return RunFailed(
        FailureClass.BUILD,
        Reason.BUILD_FAILED,
        f"the build of the image failed{step}: {failure.words}; its last lines:\n" + "\n".join(failure.last),
    )


def is_refused(failure: Failure) -> bool:
    """Whether the image was built, and the registry did not take it from this login."""
    return _NOT_PUSHED in failure.words and any(word in failure.words.lower() for word in _REFUSALS)


def not_pushed(reference: str, words: str) -> RunFailed | TemporaryError:
    """What a failed push is to the run that wanted it."""
    if any(word in words.lower() for word in _REFUSALS):
        return RunFailed(
            FailureClass.BUILD,
            Reason.BUILD_FAILED,
            f"the registry does not take {reference}: {words}; check the builder's destination, and the agent's "
            "credentials with: launchyard agent check",
        )
    return TemporaryError(f"{reference} could not be pushed: {words}")
