"""From settings to a connected client, one way for producers and agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.client import Pipeline
from redis.commands.core import Script
from redis.retry import Retry

from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerUnavailable
from broker_config.settings import Settings

RETRIES = 3
CONNECT_TIMEOUT_SECONDS = 5.0
REPLY_TIMEOUT_SECONDS = 30.0  # longer than any blocking read of the store


Entry = tuple[str, dict[str, str]]
"""An entry of a Redis stream: its position and its fields."""


class TextClient(Protocol):
    """The commands of redis-py that the store uses, on a connection whose replies are text.

    redis-py's own hints cover every kind of client at once, so each reply may be bytes there, or an awaitable.
    """

    def get(self, name: str) -> str | None: ...
    def incr(self, name: str) -> int: ...
    def hset(self, name: str, key: str | None = None, value: Any = None, mapping: Any = None) -> int: ...
    def hget(self, name: str, key: str) -> str | None: ...
    def hdel(self, name: str, *keys: str) -> int: ...
    def hgetall(self, name: str) -> dict[str, str]: ...
    def smembers(self, name: str) -> set[str]: ...
    def rpush(self, name: str, *values: str) -> int: ...
    def zrange(self, name: str, start: int, end: int) -> list[str]: ...
    def zrevrange(self, name: str, start: int, end: int) -> list[str]: ...
    def zrangebyscore(
        self, name: str, min: float | str, max: float | str, *, start: int, num: int, withscores: bool = False
    ) -> list[str]: ...
    def zscan_iter(self, name: str, match: str, count: int) -> Iterator[tuple[str, float]]: ...
    def xadd(self, name: str, fields: Any, *, maxlen: int | None = None, approximate: bool = True) -> str: ...
    def xread(self, streams: Any, count: int | None = None, block: int | None = None) -> Any: ...
    def xrevrange(self, name: str, *, count: int | None = None) -> list[Entry]: ...
    def pipeline(self, transaction: bool = True) -> Pipeline: ...
    def transaction(self, func: Callable[[Pipeline], None], *watches: str) -> Any: ...
    def register_script(self, script: str) -> Script: ...
    def close(self) -> None: ...


def broker_url(settings: Settings) -> str:
    """The broker's URL. Starts the embedded broker when none is configured and it is not running.

    Raises:
        BrokerUnavailable: when the embedded broker cannot be started.
    """
    if settings.broker_url:
        return settings.broker_url
    embedded = EmbeddedBroker(settings.home)
    embedded.ensure_running()
    return embedded.url


def tls_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of redis-py's TLS connection; empty when the URL is not `rediss://`."""
    if not (settings.broker_url or "").startswith("rediss://"):
        return {}
    options: dict[str, Any] = {"ssl_cert_reqs": "required"}
    if settings.broker_ca:
        options["ssl_ca_certs"] = str(settings.broker_ca)
    return options


def connect(settings: Settings, *, text: bool = True) -> redis.Redis:
    """A client whose replies are text, or bytes. It connects with its first command."""
    return redis.Redis.from_url(
        broker_url(settings).replace("redis+socket://", "unix://", 1),
        decode_responses=text,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=REPLY_TIMEOUT_SECONDS,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), RETRIES),
        **tls_options(settings),
    )


def connect_text(settings: Settings) -> TextClient:
    """A client with text replies, as the store uses it."""
    return cast(TextClient, connect(settings))


@contextmanager
def translated() -> Iterator[None]:
    """Turn redis-py's errors of this block into ours.

    Raises:
        BrokerUnavailable: when the broker cannot be reached, is loading, is full, or refuses the user.
    """
    try:
        yield
    except redis.exceptions.AuthenticationError as error:
        raise BrokerUnavailable(f"the broker refused the user or password: {error}") from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise BrokerUnavailable(f"the broker does not answer: {error}; is it running and the URL right?") from error
    except redis.exceptions.OutOfMemoryError as error:
        raise BrokerUnavailable(f"the broker is out of memory and took nothing: {error}") from error
    except redis.exceptions.NoPermissionError as error:
        raise BrokerUnavailable(f"the broker's user lacks a permission: {error}") from error
