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

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROCESS_NAMESPACE = Path("/proc/self/ns/pid")


def machine() -> str:
    """Names this machine as long as it is up; in a container, as long as that is: its process ids are its own."""
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else str(int(psutil.boot_time()))
    processes = PROCESS_NAMESPACE.readlink().name if PROCESS_NAMESPACE.exists() else ""
    return f"{socket.gethostname()}/{boot}/{processes}"


def site(home: Path) -> str:
    """Names the machine and the home folder, where the objects of local targets are."""
    return f"{machine()}:{home}"


class Session:
    """One process's hold on an agent's name."""

    def __init__(self, agents: AgentStore, name: str, lease_seconds: float) -> None:
        self._agents = agents
        self._lease_seconds = lease_seconds
        self.name = name
        started = psutil.Process().create_time()
        self.token = f"{machine()} {os.getpid()} {started} {uuid.uuid4().hex}"
        self.fence = 0

    def open(self) -> None:
        """Take the name, at once when its last holder is a dead process of this machine.

        Raises:
            ConfigError: when another process still holds it after the time that a silent one's lease lasts.
        """
        deadline = time.monotonic() + 1.5 * self._lease_seconds
        while True:
            holder = self._agents.holder(self.name)
            replaces = holder if is_dead(holder) else ""
            if self._agents.take(self.name, self.token, self._lease_seconds, replaces) == self.token:
                self.fence = self._agents.new_fence()
                return
            if is_alive_here(holder) or time.monotonic() > deadline:
                host, pid, *_ = holder.split()
                raise ConfigError(
                    f"agent name {self.name!r} is in use by process {pid} on {host.partition('/')[0]}; "
                    "give this agent another name (launchyard agent --name, celery worker -n)"
                )
            time.sleep(0.5)

    def renew(self) -> bool:
        """Prolong the lease. False: the name is another session's, and this one must stop."""
        return self._agents.renew(self.name, self.token, self._lease_seconds)

    def close(self) -> None:
        """Give the name back."""
        self._agents.release(self.name, self.token)


def is_dead(token: str) -> bool:
    """Whether a session's process is known to be gone. Of another machine's nothing is known."""
    return bool(token) and token.split()[0] == machine() and not _runs(token)


def is_alive_here(token: str) -> bool:
    """Whether a session's process runs on this machine."""
    return bool(token) and token.split()[0] == machine() and _runs(token)


def _runs(token: str) -> bool:
    _, pid, started, _ = token.split()
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 1.0
    except psutil.NoSuchProcess:
        return False
