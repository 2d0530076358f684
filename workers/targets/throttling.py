"""A platform that wants to be asked less."""

from __future__ import annotations

import random

from broker_config.errors import TemporaryError


class Throttled(TemporaryError):
    """It has been asked too often. `hint_seconds`: how long it wants to be left alone; 0: it does not say."""

    def __init__(self, text: str, hint_seconds: float) -> None:
        # Many who wait for the same reason are not to come back at once.
        super().__init__(text, delay_seconds=max(hint_seconds, 5.0) * random.uniform(1.0, 1.5))
        self.hint_seconds = hint_seconds
