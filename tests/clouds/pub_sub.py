"""A subscription of Pub/Sub: `pull` and `acknowledge` of the REST API, version 1."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Any

WAIT_SECONDS = 0.3


class Subscription:
    """Messages that come again until they are acknowledged."""

    def __init__(self) -> None:
        self._left: dict[str, str] = {}
        self._count = 0
        self._comes = threading.Condition()

    def send(self, text: str) -> None:
        """Put a message in."""
        with self._comes:
            self._count += 1
            self._left[f"ack-{self._count}"] = base64.b64encode(text.encode()).decode()
            self._comes.notify_all()

    @property
    def length(self) -> int:
        """Messages that were not acknowledged."""
        return len(self._left)

    def answer(self, action: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry one call out."""
        with self._comes:
            if action == "acknowledge":
                for receipt in body["ackIds"]:
                    self._left.pop(receipt, None)
                return {}
            if not self._left:
                self._comes.wait(WAIT_SECONDS)
            found = list(self._left.items())[: body["maxMessages"]]
            return {"receivedMessages": [{"ackId": ack, "message": {"data": data}} for ack, data in found]}
