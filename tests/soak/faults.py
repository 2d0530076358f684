"""What strikes during the soak, one after the other, by chance."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter

from tests.soak.yard import SoakYard

PAUSE_SECONDS = (0.5, 3.0)
AWAY_SECONDS = (0.0, 2.0)
"""Between two faults, and how long what was struck stays away."""


class Faults:
    """Chooses and strikes."""

    def __init__(self, yard: SoakYard, chance: random.Random) -> None:
        self._yard = yard
        self._chance = chance
        self.struck: Counter[str] = Counter()
        self.hung: list[str] = []
        """Agents that did not end when they were asked to."""
        self._last = ""
        self._kinds = {
            "agent killed": (self._kill_agent, 4),
            "agent stopped": (self._stop_agent, 3),
            "broker restarted": (self._restart_broker, 1),
            "broker killed": (self._kill_broker, 1),
            "connections cut": (yard.proxy.cut, 2),
            "replies lost": (self._lose_replies, 2),
            "broker frozen": (self._freeze, 1),
        }

    def strike(self) -> None:
        """Wait a moment, then let one fault happen."""
        time.sleep(self._chance.uniform(*PAUSE_SECONDS))
        weights = [weight for _, weight in self._kinds.values()]
        (self._last,) = self._chance.choices(list(self._kinds), weights)
        self._kinds[self._last][0]()
        self.struck[self._last] += 1

    def told(self) -> str:
        """The last fault, in words."""
        return f"{self._last:18}"

    def _away(self) -> None:
        time.sleep(self._chance.uniform(*AWAY_SECONDS))

    def _kill_agent(self) -> None:
        agent = self._chance.choice(self._yard.agents)
        agent.kill()
        self._away()
        agent.spawn()

    def _stop_agent(self) -> None:
        agent = self._chance.choice(self._yard.agents)
        try:
            agent.stop()
        except subprocess.TimeoutExpired:
            # Its threads' stacks go to its log, if PYTHONFAULTHANDLER says so.
            self.hung.append(agent.name)
            os.kill(agent.pid, signal.SIGABRT)
            agent.kill()
        self._away()
        agent.spawn()

    def _restart_broker(self) -> None:
        self._yard.broker.stop()
        self._away()
        self._yard.broker.ensure_running()

    def _kill_broker(self) -> None:
        pid = self._yard.broker.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self._away()
        self._yard.broker.ensure_running()

    def _lose_replies(self) -> None:
        self._yard.proxy.lose_replies()
        self._away()
        self._yard.proxy.cut()

    def _freeze(self) -> None:
        self._yard.proxy.freeze()
        self._away()
        self._yard.proxy.thaw()
