"""From settings to a connected client, one way for producers and agents."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.commands.core import Script
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from broker_config import sentinels
from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerFull, BrokerUnavailable, ConfigError, NotPermitted
from broker_config.settings import Settings

RETRIES = 3
CONNECT_TIMEOUT_SECONDS = 5.0
REPLY_TIMEOUT_SECONDS = 30.0  # longer than any blocking read of the store
IMPATIENT_SECONDS = 1.0


Entry = tuple[str, dict[str, str]]
"""An entry of a Redis stream: its position and its fields."""


class TextClient(Protocol):
    """The commands of redis-py that the store uses, on a connection whose replies are text.

    redis-py's own hints cover every kind of client at once, so each reply may be bytes there, or an awaitable.
    """

    def get(self, name: str) -> str | None: ...
    def set(self, name: str, value: str, *, ex: timedelta) -> bool: ...
    def unlink(self, *names: str) -> int: ...
    def incr(self, name: str) -> int: ...
    def hset(self, name: str, key: str | None = None, value: Any = None, mapping: Any = None) -> int: ...
    def hsetnx(self, name: str, key: str, value: str) -> bool: ...
    def hget(self, name: str, key: str) -> str | None: ...
    def hdel(self, name: str, *keys: str) -> int: ...
    def hgetall(self, name: str) -> dict[str, str]: ...
    def smembers(self, name: str) -> builtins.set[str]: ...
    def rpush(self, name: str, *values: str) -> int: ...
    def zcard(self, name: str) -> int: ...
    def zrange(self, name: str, start: int, end: int) -> list[str]: ...
    def zrevrangebyscore(
        self, name: str, max: float | str, min: float | str, *, start: int, num: int, withscores: bool
    ) -> list[tuple[str, float]]: ...
    def zrangebyscore(
        self, name: str, min: float | str, max: float | str, *, start: int, num: int, withscores: bool = False
    ) -> list[str]: ...
    def zadd(self, name: str, mapping: Mapping[str, float], *, xx: bool = False) -> int: ...
    def zrem(self, name: str, *values: str) -> int: ...
    def zscan_iter(self, name: str, match: str, count: int) -> Iterator[tuple[str, float]]: ...
    def xadd(self, name: str, fields: Any, *, maxlen: int | None = None, approximate: bool = True) -> str: ...
    def xread(self, streams: Any, count: int | None = None, block: int | None = None) -> Any: ...
    def xrevrange(self, name: str, max: str = "+", min: str = "-", count: int | None = None) -> list[Entry]: ...
    def pipeline(self, transaction: bool = True) -> Pipeline: ...
    def transaction(self, func: Callable[[Pipeline], None], *watches: str) -> Any: ...
    def register_script(self, script: str) -> Script: ...
    def time(self) -> tuple[int, int]: ...
    def info(self, section: str) -> dict[str, Any]: ...
    def config_set(self, name: str, value: str) -> bool: ...
    def config_rewrite(self) -> bool: ...
    def close(self) -> None: ...


def broker_url(settings: Settings) -> str:
    """The broker's URL. Starts the embedded broker when none is configured and it is not running.

    Raises:
        BrokerUnavailable: when the embedded broker cannot be started.
        ConfigError: when only a server before a broker is known.
    """
    if settings.broker_url:
        return settings.broker_url
    if settings.server_url:
        raise ConfigError(
            f"this needs the broker itself, and only a server is known, {settings.server_url}; set "
            "LAUNCHYARD_BROKER_URL, or leave LAUNCHYARD_SERVER_URL out to use the broker of this machine"
        )
    embedded = EmbeddedBroker(settings.home)
    embedded.ensure_running()
    return embedded.url


def database(settings: Settings) -> int:
    """The number of the broker's database, as the URL says it."""
    found = sentinels.read(settings.broker_url)
    if found:
        return found.database
    path = urlsplit(settings.broker_url or "").path.strip("/")
    return int(path) if path.isdigit() else 0


def tls_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of redis-py's TLS connection; empty when the URL is not `rediss://` or `sentinels://`."""
    if not (settings.broker_url or "").startswith(("rediss://", "sentinels://")):
        return {}
    options: dict[str, Any] = {"ssl_cert_reqs": "required"}
    if settings.broker_ca:
        options["ssl_ca_certs"] = str(settings.broker_ca)
    return options


class _Found:
    """A connection that asks the sentinels anew whenever it connects.

    redis-py's asks when it is taken from its pool, and repeats a command that failed on the server that it had: for
    one that is frozen, that is a timeout a try.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self._sock:  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        super().send_packed_command(command, check_health)  # type: ignore[misc]


class _FoundConnection(_Found, SentinelManagedConnection):
    pass


class _FoundTlsConnection(_Found, SentinelManagedSSLConnection):
    pass


def sentinel_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of a connection to a sentinel."""
    tls = tls_options(settings)
    return {
        "password": settings.sentinel_password,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": CONNECT_TIMEOUT_SECONDS,
        # The next sentinel is asked instead, and what asked is tried again as a whole.
        "retry": Retry(NoBackoff(), 0),
        **({"ssl": True, **tls} if tls else {}),
    }


def connect(settings: Settings, *, text: bool = True, is_patient: bool = True) -> redis.Redis:
    """A client whose replies are text, or bytes. It connects with its first command.

    One that is not patient gives up soon, for what can be done without the broker.
    """
    options: dict[str, Any] = {
        "decode_responses": text,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS if is_patient else IMPATIENT_SECONDS,
        "socket_timeout": REPLY_TIMEOUT_SECONDS if is_patient else IMPATIENT_SECONDS,
        "health_check_interval": 30,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), RETRIES if is_patient else 0),
        **tls_options(settings),
    }
    found = sentinels.read(settings.broker_url)
    if found is None:
        return redis.Redis.from_url(broker_url(settings).replace("redis+socket://", "unix://", 1), **options)
    options["connection_class"] = _FoundTlsConnection if found.tls else _FoundConnection
    login = {"db": found.database, "username": found.username, "password": found.password}
    # redis-py's own hints leave these two out.
    asked = Sentinel(found.hosts, sentinel_kwargs=sentinel_options(settings))  # type: ignore[no-untyped-call]
    return cast(redis.Redis, asked.master_for(found.master, **login, **options))  # type: ignore[no-untyped-call]


def connect_text(settings: Settings, *, is_patient: bool = True) -> TextClient:
    """A client with text replies, as the store uses it."""
    return cast(TextClient, connect(settings, is_patient=is_patient))


@contextmanager
def translated(client: TextClient | redis.Redis | None = None) -> Iterator[None]:
    """Turn redis-py's errors of this block into ours. With a `client`, a full broker is asked how full it is.

    Raises:
        BrokerUnavailable: when the broker cannot be reached, is loading, or refuses the login.
        BrokerFull: when it has no memory left for a write.
        NotPermitted: when its user may not do this.
    """
    try:
        yield
    except redis.exceptions.AuthenticationError as error:
        raise BrokerUnavailable(f"the broker refused the user or password: {error}") from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise BrokerUnavailable(f"the broker does not answer: {error}; is it running and the URL right?") from error
    except redis.exceptions.OutOfMemoryError as error:
        raise BrokerFull(
            f"the broker is out of memory{_fullness(client)} and took nothing; the runs that it has go on. Raise its "
            "maxmemory, or shorten LAUNCHYARD_RETENTION_SECONDS"
        ) from error
    except redis.exceptions.NoPermissionError as error:
        raise NotPermitted(
            f"the broker's user lacks a permission: {error}. ACL LOG on the server names the key; give the user the "
            "rules of its role for every queue that it uses: launchyard broker acl",
            delay_seconds=15.0,
        ) from error


def _fullness(client: TextClient | redis.Redis | None) -> str:
    if client is None:
        return ""
    try:
        memory: Any = client.info("memory")
    except redis.RedisError:
        return ""
    return f" ({memory['used_memory_human']} of {memory['maxmemory_human']} used)"
