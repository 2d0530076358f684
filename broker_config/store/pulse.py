"""Whether anything has changed: a few short reads that tell lists on pages when to be read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from broker_config.connection import TextClient, translated
from broker_config.store.keys import Keys

Kind = Literal["queues", "runs", "agents"]


class Pulse:
    """Compare two readings; what they say themselves means nothing."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def read(self) -> dict[Kind, str]:
        """One word for each kind, which is another one when something of that kind has changed.

        Runs count by how many of each queue are in each state, so it costs the same however many there are.
        """
        keys = self._keys
        with translated():
            names = sorted(self._client.smembers(keys.queues))
            with self._client.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.agents)
                for name in names:
                    pipe.hgetall(keys.queue(name))
                    pipe.hgetall(keys.queue_counts(name))
                agents, *of_queues = pipe.execute()
        return {
            "queues": _word(dict(zip(names, of_queues[::2], strict=True))),
            "runs": _word(dict(zip(names, of_queues[1::2], strict=True))),
            "agents": _word({name: _without_clock(info) for name, info in agents.items()}),
        }


def _word(document: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _without_clock(info: str) -> dict[str, object]:
    return {field: value for field, value in json.loads(info).items() if field != "seen_at"}
