"""A sign-in under way: what this server must know when the browser comes back, kept in a cookie of that browser.

Nobody else learns what is in it, and what comes back is of use to that browser alone. The broker need not know of it.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import timedelta

from pydantic import Field, ValidationError

from broker_config.frozen import Frozen

LASTS = timedelta(minutes=10)


def _random() -> str:
    return secrets.token_urlsafe(32)


class Attempt(Frozen):
    """One sign-in."""

    redirect_uri: str
    wanted: str  # the page to go to behind it
    state: str = Field(default_factory=_random)
    nonce: str = Field(default_factory=_random)
    verifier: str = Field(default_factory=_random)

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer with that state is to this sign-in."""
        return hmac.compare_digest(self.state.encode(), state.encode())

    def to_cookie(self) -> str:
        """The text that a cookie takes."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()


def from_cookie(text: str) -> Attempt | None:
    """The sign-in that a cookie tells of; None where there is none."""
    try:
        return Attempt.model_validate_json(base64.urlsafe_b64decode(text.encode()))
    except (ValidationError, ValueError):
        return None
