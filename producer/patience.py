"""Waiting for a broker that is being restarted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from broker_config.errors import BrokerUnavailable

PATIENCE_SECONDS = 900.0
"""How long a waiting caller bears a broker that does not answer: longer than an upgrade or a failover takes."""

_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0

_logger = logging.getLogger(__name__)

T = TypeVar("T")


def ask_patiently(ask: Callable[[], T], until: float) -> T:
    """What `ask` returns, asked again with growing delays while the broker does not answer.

    `until` is a time of the monotonic clock.

    Raises:
        BrokerUnavailable: when the broker has not answered by `until`, or for `PATIENCE_SECONDS`.
    """
    give_up = min(until, time.monotonic() + PATIENCE_SECONDS)
    delay = _FIRST_DELAY_SECONDS
    while True:
        try:
            return ask()
        except BrokerUnavailable as error:
            left = give_up - time.monotonic()
            if left <= 0:
                raise
            _logger.warning("waiting for the broker: %s", error, extra={"action": "broker-awaited"})
            time.sleep(min(delay, left))
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
