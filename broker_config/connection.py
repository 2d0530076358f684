"""From settings to a connected client, one way for producers and agents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerUnavailable
from broker_config.settings import Settings

RETRIES = 3
CONNECT_TIMEOUT_SECONDS = 5.0
REPLY_TIMEOUT_SECONDS = 30.0  # longer than any blocking read of the store


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
