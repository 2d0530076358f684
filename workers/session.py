"""The agent's session: the lease on its name, and its heartbeat.

An agent's name outlives its process: what a session under a name holds, the next one takes up. So no two processes
may use one name at a time.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path

import psutil

from broker_config.errors import ConfigError
from broker_config.store.agents import AgentStore

LEASE_SECONDS = 30.0
"""How long an agent may be silent until its name is free."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _machine() -> str:
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else str(int(psutil.boot_time()))
    return f"{socket.gethostname()}/{boot}"


class Session:
    """One process's hold on an agent's name."""

    def __init__(self, agents: AgentStore, name: str) -> None:
        self._agents = agents
        self.name = name
        started = psutil.Process().create_time()
        self.token = f"{_machine()} {os.getpid()} {started} {uuid.uuid4().hex}"
        self.fence = 0

    def open(self, patience_seconds: float = LEASE_SECONDS * 1.5) -> None:
        """Take the name, at once when its last holder is a dead process of this machine.

        Raises:
            ConfigError: when another process still holds it after `patience_seconds`.
        """
        deadline = time.monotonic() + patience_seconds
        while True:
            holder = self._agents.holder(self.name)
            replaces = holder if is_dead(holder) else ""
            if self._agents.take(self.name, self.token, LEASE_SECONDS, replaces) == self.token:
                self.fence = self._agents.new_fence()
                return
            if is_alive_here(holder) or time.monotonic() > deadline:
                machine, pid, *_ = holder.split()
                raise ConfigError(
                    f"agent name {self.name!r} is in use by process {pid} on {machine.partition('/')[0]}; "
                    "give this agent another name (launchyard agent --name, celery worker -n)"
                )
            time.sleep(0.5)

    def renew(self) -> bool:
        """Prolong the lease. False: the name is another session's, and this one must stop."""
        return self._agents.renew(self.name, self.token, LEASE_SECONDS)

    def close(self) -> None:
        """Give the name back."""
        self._agents.release(self.name, self.token)


def is_dead(token: str) -> bool:
    """Whether a session's process is known to be gone. Of another machine's nothing is known."""
    return bool(token) and token.split()[0] == _machine() and not _runs(token)


def is_alive_here(token: str) -> bool:
    """Whether a session's process runs on this machine."""
    return bool(token) and token.split()[0] == _machine() and _runs(token)


def _runs(token: str) -> bool:
    _, pid, started, _ = token.split()
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 1.0
    except psutil.NoSuchProcess:
        return False
