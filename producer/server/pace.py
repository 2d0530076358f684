"""How much one may ask of the server, and how often one may be wrong about a key. Each server counts for itself."""

from __future__ import annotations

import time

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from broker_config.accounts.api_keys import read
from broker_config.errors import NotIdentified, TooManyRequests
from producer.server.identity import Identify, Identity, address_of, shown_text

WRONG_SECRETS = RateLimitItemPerMinute(10)
"""Of one key's id, from one address. A program that goes on with a key that was revoked keeps nobody else out."""

WRONG_KEYS = RateLimitItemPerMinute(300)
"""From one address, whatever is shown."""


class Pace:
    """Counts in memory: a limit needs no question to the broker, and holds while that is away."""

    def __init__(self, requests_per_minute: int) -> None:
        self._requests = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def guard(self, identify: Identify) -> Identify:
        """The same, within the limits."""

        def identify_in_time(request: Request) -> Identity:
            address, shown = address_of(request), shown_text(request)
            if shown:
                self.expect_patience(address, key_id(shown))
            try:
                identity = identify(request)
            except NotIdentified:
                if shown:
                    self.was_wrong(address, key_id(shown))
                raise
            name = identity.principal.name
            if not self._limiter.hit(self._requests, name):
                raise self._too_many(f"{name!r} asks the server too often", self._requests, name)
            return identity

        return identify_in_time

    def expect_patience(self, address: str, key: str) -> None:
        """Go on only with an address that was not wrong too often.

        Raises:
            TooManyRequests: when it was.
        """
        for item, names in ((WRONG_SECRETS, (address, key)), (WRONG_KEYS, (address,))):
            if not self._limiter.test(item, *names):
                raise self._too_many("too many wrong API keys came from this address", item, *names)

    def was_wrong(self, address: str, key: str) -> None:
        """Count a key that was none."""
        self._limiter.hit(WRONG_SECRETS, address, key)
        self._limiter.hit(WRONG_KEYS, address)

    def _too_many(self, what: str, item: RateLimitItem, *names: str) -> TooManyRequests:
        wait = max(self._limiter.get_window_stats(item, *names).reset_time - time.time(), 1.0)
        return TooManyRequests(f"{what}: {item.amount} in a minute may be; wait {wait:.0f} s", delay_seconds=wait)


def key_id(text: str) -> str:
    """The id of a key, which is no secret; empty for a text that is none."""
    secret = read(text)
    return secret.id if secret else ""
