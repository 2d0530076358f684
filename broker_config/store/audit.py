"""The audit trail: who changed what, when, with which key and from where."""

from __future__ import annotations

from datetime import datetime

from broker_config.connection import TextClient, translated
from broker_config.frozen import Frozen
from broker_config.runs import now
from broker_config.store.keys import Keys

KEPT = 100_000
"""Entries; older ones are dropped."""


class Asker(Frozen):
    """Who asks the server, and how that one is known."""

    name: str
    key: str = ""  # the id of the API key; empty: of a page's session
    address: str = ""


class Deed(Frozen):
    """One change."""

    at: datetime
    asker: Asker
    action: str  # a stable name, such as `queue.edit`
    subject: str  # what was changed, by its name or id
    details: str = ""


class AuditTrail:
    """Append and read."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def add(self, asker: Asker, action: str, subject: str, details: str = "") -> None:
        """Write down a change."""
        deed = Deed(at=now(), asker=asker, action=action, subject=subject, details=details)
        with translated():
            self._client.xadd(self._keys.audit, {"deed": deed.model_dump_json()}, maxlen=KEPT)

    def newest(self, count: int = 100, before: str = "+") -> list[tuple[str, Deed]]:
        """Deeds with their positions, newest first; those before a position, where one is given."""
        with translated():
            found = self._client.xrevrange(self._keys.audit, max=before if before == "+" else f"({before}", count=count)
        return [(position, Deed.model_validate_json(fields["deed"])) for position, fields in found]
