"""Reading Redis streams, whichever protocol version the connection speaks."""

from __future__ import annotations

from typing import Any

from broker_config.connection import Entry
from broker_config.runs import Event

Entries = list[Entry]

LONGEST_BLOCK_SECONDS = 20.0
"""Longest wait of one read: well within the time that the connection gives the broker to reply."""


def block(seconds: float | None) -> int | None:
    """XREAD's option for a wait of `seconds`, which may come back empty earlier. None: no wait."""
    # For Redis 0 means for ever.
    return None if seconds is None else max(1, int(min(seconds, LONGEST_BLOCK_SECONDS) * 1000))


def event(fields: dict[str, str]) -> Event:
    """The event that an entry of a run's stream holds."""
    return Event.model_validate({**fields, "old": fields["old"] or None})


def entries(reply: Any) -> Entries:
    """The entries in a reply to XREAD on one stream."""
    return [entry for found in entries_by_stream(reply).values() for entry in found]


def entries_by_stream(reply: Any) -> dict[str, Entries]:
    """The entries in a reply to XREAD: a map of streams with RESP3, a list of pairs with RESP2."""
    if not reply:
        return {}
    if isinstance(reply, dict):
        return {stream: [entry for batch in batches for entry in batch] for stream, batches in reply.items()}
    return {stream: list(batch) for stream, batch in reply}
