"""Reading Redis streams, whichever protocol version the connection speaks."""

from __future__ import annotations

from typing import Any

Entries = list[tuple[str, dict[str, str]]]


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
