"""What the agent fetches: orders of its queues but the closed ones, unless an operator wants it to take nothing new."""

from __future__ import annotations

import logging
from typing import Protocol

from broker_config.store import Store
from broker_config.store.agents import Mode, Wish
from workers.gate import Gate

logger = logging.getLogger(__name__)


class Intake(Protocol):
    """The worker's side of taking orders."""

    def serve(self, queues: frozenset[str]) -> None:
        """Fetch orders of these queues, and of no others. May be called again and again."""

    def finish(self, reason: str) -> None:
        """End the worker: it has nothing more to do."""

    def abort(self, reason: str) -> None:
        """End the worker: it must not go on."""


class Serving:
    """Asks the store again and again what is wished, as the agent's heartbeat calls it."""

    def __init__(self, store: Store, name: str, queues: tuple[str, ...], gate: Gate, intake: Intake) -> None:
        self._store = store
        self._name = name
        self._queues = frozenset(queues)
        self._gate = gate
        self._intake = intake
        self._closed: dict[str, str] = {}  # paused and full queues, each with which it is
        self.wish = Wish()

    @property
    def open_queues(self) -> frozenset[str]:
        """The agent's queues that are neither paused nor full."""
        return self._queues - self._closed.keys()

    @property
    def queues_to_build_for(self) -> frozenset[str]:
        """Those of which runs are taken now or, as they are full, later; none while nothing new is to be taken."""
        paused = {queue for queue, why in self._closed.items() if why == "paused"}
        return self._queues - paused if self.wish.mode is Mode.SERVING else frozenset()

    def follow_wish(self) -> bool:
        """Do what an operator wishes of this agent. Returns whether that is something else than before."""
        wish = self._store.agents.wish(self._name)
        is_new = wish != self.wish
        if is_new:
            logger.info("agent-wish mode=%s: %s", wish.mode, wish.reason)
            self.wish = wish
            self._gate.pause(wish.mode is not Mode.SERVING)
        if wish.mode is Mode.DRAINING and self._gate.is_idle:
            self._gate.close()
            self._intake.finish("drained")
        return is_new

    def follow_queues(self) -> None:
        """Fetch from the queues that are open."""
        closed = self._store.queues.closed(sorted(self._queues))
        for queue, why in closed.items() - self._closed.items():
            logger.info("queue-closed %s: %s", queue, why)
        for queue in self._closed.keys() - closed.keys():
            logger.info("queue-opened %s", queue)
        self._closed = closed
        # Said each time, not with each change: what a lost connection or a claim undid is put right by the next call.
        self._intake.serve(self.open_queues)

    def cease(self, queue: str) -> None:
        """Fetch nothing of a queue until it is looked at again."""
        self._intake.serve(self.open_queues - {queue})
