"""The engine's event stream: one connection for all containers of ours."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from docker.types.daemon import CancellableStream

from broker_config.errors import TemporaryError
from workers.targets.docker.engine import Engine
from workers.targets.docker.render import MANAGED

logger = logging.getLogger(__name__)

_EVENTS = ("start", "die", "destroy", "pause", "unpause")

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0

RENEWAL_SECONDS = 300.0
"""A connection that broke without a word looks like a quiet engine, so none is trusted for longer."""

_OVERLAP_SECONDS = 5
"""The engine answers a subscription a moment before it stands; what happened since is told again."""


class Events:
    """Says which containers may have changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def follow(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        """Report until `stop`: names, and `None` after every gap."""
        wait = _FIRST_WAIT_SECONDS
        while not stop.is_set():
            try:
                with self._engine.answering(), self._subscribed(stop) as stream:
                    # Subscribe first, then have everything looked at: what changes meanwhile comes as an event.
                    changed(None)
                    wait = _FIRST_WAIT_SECONDS
                    for event in stream:
                        changed(event["Actor"]["Attributes"]["name"])
                # An engine that goes down ends the stream without any error.
                logger.debug("docker-events-ended")
            except TemporaryError as error:
                logger.warning("docker-events-lost retry_seconds=%.1f: %s", wait, error)
            stop.wait(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    @contextmanager
    def _subscribed(self, stop: threading.Event) -> Iterator[CancellableStream[dict[str, Any]]]:
        stream = self._engine.api.events(
            since=int(time.time()) - _OVERLAP_SECONDS,
            filters={"type": "container", "label": f"{MANAGED}=true", "event": list(_EVENTS)},
            decode=True,
        )
        ended = threading.Event()
        closer = threading.Thread(target=_close, args=(stream, stop, ended), name="docker-events-close", daemon=True)
        closer.start()
        try:
            yield stream
        finally:
            ended.set()
            closer.join()


_LOOK_SECONDS = 0.25


def _close(stream: CancellableStream[dict[str, Any]], stop: threading.Event, ended: threading.Event) -> None:
    """Close the stream when it is time: reading from it blocks, and nothing else wakes the reader."""
    deadline = time.monotonic() + RENEWAL_SECONDS
    while not stop.is_set() and not ended.is_set() and time.monotonic() < deadline:
        stop.wait(_LOOK_SECONDS)
    stream.close()
