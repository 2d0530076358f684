"""What all agents together ask of a platform, shared on the broker; where that is silent, each asks by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from broker_config.errors import LaunchyardError
from broker_config.platforms import Heard, Hint, Turn
from broker_config.store.platforms import PlatformStore

logger = logging.getLogger(__name__)

SILENT_SECONDS = 10.0
"""A broker that gave no answer is not asked for so long: a platform's jobs are not to wait for it."""

Answer = TypeVar("Answer")


class SharedLimits:
    """The limits on the broker. Safe to use from all threads."""

    def __init__(self, platforms: PlatformStore) -> None:
        self._platforms = platforms
        self._silent_until = 0.0

    def hear(self, place: str, after: str) -> Heard:
        return self._answer(lambda: self._platforms.hear(place, after), Heard(after, 0.0))

    def turn(self, place: str, period_seconds: float, spacing_seconds: float, *, alone: bool) -> Turn:
        return self._answer(
            lambda: self._platforms.turn(place, period_seconds, spacing_seconds, alone=alone), Turn(True, 0.0)
        )

    def pause(self, place: str, seconds: float) -> None:
        self._answer(lambda: self._platforms.pause(place, seconds), None)

    def tell(self, place: str, hints: Sequence[Hint]) -> bool:
        def tell() -> bool:
            self._platforms.tell(place, hints)
            return True

        return self._answer(tell, otherwise=False)

    def _answer(self, ask: Callable[[], Answer], otherwise: Answer) -> Answer:
        if time.monotonic() < self._silent_until:
            return otherwise
        try:
            answer = ask()
        except LaunchyardError as error:
            if not self._silent_until:
                logger.warning("limits-unshared: %s; meanwhile this agent asks by itself", error)
            self._silent_until = time.monotonic() + SILENT_SECONDS
            return otherwise
        self._silent_until = 0.0
        return answer
