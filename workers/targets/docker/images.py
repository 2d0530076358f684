"""Images that are not on the engine yet."""

from __future__ import annotations

from typing import Any

from docker.errors import APIError, InvalidRepository

from broker_config.errors import TemporaryError
from broker_config.oci.logins import Login
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.docker.engine import Engine, may_pass, words_of

_LASTING = (
    "access denied",
    "authentication required",
    "denied:",
    "does not match the specified platform",
    "forbidden",
    "invalid reference format",
    "manifest unknown",
    "name unknown",
    "no basic auth credentials",
    "no match for platform",
    "no matching manifest",
    "not found",
    "repository does not exist",
    "unauthorized",
)
"""Words of engines and registries for an image that another try will not bring."""


def pull(engine: Engine, image: str, platform: str | None, login: Login | None) -> None:
    """Bring an image to the engine; without a login, with the one that docker's client finds, if any.

    Raises:
        RunFailed: IMAGE_UNAVAILABLE, when the registry does not have it or does not give it.
        TemporaryError: when the registry or the engine did not answer.
    """
    auth = login.for_engine if login else None
    with engine.answering():
        try:
            # Errors after the first byte come as lines of the stream and raise nothing.
            for line in engine.api.pull(image, stream=True, decode=True, auth_config=auth, platform=platform):
                if "error" in line:
                    raise _failure(image, line["error"])
        except InvalidRepository as error:
            raise unavailable(image, str(error)) from error
        except APIError as error:
            raise _failure(image, words_of(error), error.is_client_error()) from error


def unavailable(image: str, words: str) -> RunFailed:
    """The end of a run whose image cannot be had."""
    return RunFailed(
        FailureClass.CONFIG,
        Reason.IMAGE_UNAVAILABLE,
        f"image {image!r} cannot be had: {words}; check its name, and the agent's credentials for its registry",
    )


def _failure(image: str, words: Any, refused: bool = False) -> RunFailed | TemporaryError:
    text = str(words)
    # A host that is "not found" by the name server is network trouble, so these words are looked for first.
    if may_pass(text):
        return TemporaryError(f"image {image!r} could not be pulled: {text}")
    if refused or any(word in text.lower() for word in _LASTING):
        return unavailable(image, text)
    return TemporaryError(f"image {image!r} could not be pulled: {text}")
