"""Reading Redis streams, whichever protocol version the connection speaks."""

from __future__ import annotations

from typing import Any


def entries(reply: Any) -> list[tuple[str, dict[str, str]]]:
    """The entries in a reply to XREAD on one stream: a map of streams with RESP3, a list of pairs with RESP2."""
    if not reply:
        return []
    if isinstance(reply, dict):
        return [entry for batches in reply.values() for batch in batches for entry in batch]
    return [entry for _, batch in reply for entry in batch]
