"""Sessions of people at the page, and links that begin one. Of neither is the text kept, only its digest."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import Field

from broker_config.connection import TextClient, translated
from broker_config.frozen import Frozen
from broker_config.queues import FullName
from broker_config.runs import now
from broker_config.store.keys import Keys

SESSION_LASTS = timedelta(hours=12)
LINK_LASTS = timedelta(minutes=10)


class Session(Frozen):
    """Somebody who signed in."""

    principal: FullName
    key: str = ""  # the id of the API key that was shown; empty: another way was taken
    began_at: datetime = Field(default_factory=now)


class SessionStore:
    """Begin, read and end sessions."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def begin(self, session: Session) -> str:
        """The text by which the session is known from now on; it is told this once."""
        return self._write(self._keys.session, session, SESSION_LASTS)

    def get(self, text: str) -> Session | None:
        """The session of that text; None when there is none, or none any more."""
        with translated():
            stored = self._client.get(self._keys.session(_digest(text)))
        return Session.model_validate_json(stored) if stored else None

    def end(self, text: str) -> None:
        """End the session of that text, if there is one."""
        with translated():
            self._client.unlink(self._keys.session(_digest(text)))

    def new_link(self, principal: str) -> str:
        """A text that begins a session of that principal, once, within `LINK_LASTS`."""
        return self._write(self._keys.sign_in_link, Session(principal=principal), LINK_LASTS)

    def linked(self, text: str) -> Session | None:
        """Whose session a link would begin; None when it was used, or is too old."""
        with translated():
            stored = self._client.get(self._keys.sign_in_link(_digest(text)))
        return Session.model_validate_json(stored) if stored else None

    def use_link(self, text: str) -> str | None:
        """Begin the session of a link, as `begin` does; None when it was used, or is too old."""
        session = self.linked(text)
        with translated():
            # Of two who use it at once, one removes it.
            is_mine = session and self._client.unlink(self._keys.sign_in_link(_digest(text))) == 1
        return self.begin(session.model_copy(update={"began_at": now()})) if session and is_mine else None

    def _write(self, key: Callable[[str], str], session: Session, lasts: timedelta) -> str:
        text = secrets.token_urlsafe(32)
        with translated():
            self._client.set(key(_digest(text)), session.model_dump_json(), ex=lasts)
        return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
