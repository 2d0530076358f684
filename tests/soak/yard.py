"""The installation that is soaked: an embedded broker behind a proxy, and three agents that are kept alive."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Self

from broker_config.embedded import EmbeddedBroker
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import TERMINAL
from broker_config.store import Store
from tests.agents import AgentProcess
from tests.faults.proxy import SocketProxy

QUEUE = "soak"
AGENTS = 3
MAX_JOBS = 12
LEASE_SECONDS = 5.0


class SoakYard:
    """Everything in a home folder of its own."""

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="ly-"))
        (self.home / "launch-config.yaml").write_text(f"lease_seconds: {LEASE_SECONDS}\n")
        self.broker = EmbeddedBroker(self.home)
        self.broker.ensure_running()
        self.proxy = SocketProxy(self.home / "proxy.sock", self.broker.socket)
        self.settings = Settings(home=self.home, broker_url=f"redis+socket://{self.home / 'proxy.sock'}")
        # What is counted is read past the proxy.
        self.store = Store(Settings(home=self.home, broker_url=self.broker.url))
        self.store.queues.create(Queue(name=QUEUE, resource="stub", prioritization=True))
        names = [f"agent{number}@soak" for number in range(AGENTS)]
        self.agents = [AgentProcess(self.settings, QUEUE, max_jobs=MAX_JOBS, name=name).start() for name in names]
        self.unasked_ends = 0
        self.is_kept = False
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self.agents:
            agent.kill()
        self.store.close()
        self.proxy.close()
        self.broker.stop()
        if self.is_kept:
            print(f"the agents' logs and the broker's data are kept in {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def keep_agents(self) -> None:
        """Start agents that have ended, as a service manager does."""
        for agent in self.agents:
            if not agent.is_alive:
                self.unasked_ends += 1
                agent.spawn()

    def ended(self) -> int:
        """Runs that have ended."""
        counts = self.store.queues.counts(QUEUE)
        return sum(counts.get(state, 0) for state in TERMINAL)
