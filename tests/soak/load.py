"""What the soak launches: short runs, some of which fail, and some of which are cancelled."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker_config.errors import LaunchyardError
from broker_config.priorities import Priority
from broker_config.runs import RunId
from broker_config.settings import Settings
from producer import Client, ImageSource
from tests.soak.yard import QUEUE

BATCH = 50
BATCH_SECONDS = 0.3
FAILS, IS_CANCELLED = 0.05, 0.05
"""Parts of all runs."""

EXIT_CODE = 3


@dataclass(frozen=True, slots=True)
class Intent:
    """What one run is to do."""

    seconds: float
    exit_code: int
    is_cancelled: bool
    priority: Priority


class Load(threading.Thread):
    """Enqueues in batches, through the same broken wires as the agents, until each launch is confirmed."""

    def __init__(self, settings: Settings, chance: random.Random, count: int) -> None:
        super().__init__(name="load", daemon=True)
        self._client = Client(settings)
        self._intents = [_intent(chance) for _ in range(count)]
        self.launched: dict[RunId, Intent] = {}

    def run(self) -> None:
        for start in range(0, len(self._intents), BATCH):
            batch = self._intents[start : start + BATCH]
            # With its key a launch may be sent again when its reply was lost.
            fields = [_fields(f"soak-{start + place}", intent) for place, intent in enumerate(batch)]
            handles = _until_done(lambda fields=fields: self._client.enqueue_many(fields))
            for handle, intent in zip(handles, batch, strict=True):
                self.launched[handle.id] = intent
            time.sleep(BATCH_SECONDS)
            for handle, intent in zip(handles, batch, strict=True):
                if intent.is_cancelled:
                    _until_done(handle.cancel)
        self._client.close()


def _intent(chance: random.Random) -> Intent:
    return Intent(
        seconds=round(chance.random(), 3),
        exit_code=EXIT_CODE if chance.random() < FAILS else 0,
        is_cancelled=chance.random() < IS_CANCELLED,
        priority=chance.choice(list(Priority)),
    )


def _fields(key: str, intent: Intent) -> Any:
    return {
        "queue": QUEUE,
        "source": ImageSource(image="stub"),
        "overrides": {"seconds": intent.seconds, "exit_code": intent.exit_code, "lines": ["one", "two"]},
        "priority": intent.priority,
        "idempotency_key": key,
    }


def _until_done(call: Callable[[], Any]) -> Any:
    while True:
        try:
            return call()
        except LaunchyardError as error:
            print(f"the producer tries again: {error}", flush=True)
            time.sleep(0.2)
