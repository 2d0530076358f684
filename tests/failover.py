"""A broker that fails over: a primary, replicas and sentinels, each a process that a test can end."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tests.agents import eventually
from tests.ports import free_port, wait_until_listening
from tests.services import require

GROUP = "yard"
DOWN_AFTER_MILLISECONDS = 1000
SENTINELS = 3


class Failover:
    """A group of two servers, watched by sentinels that need a majority."""

    def __init__(self, folder: Path, password: str = "", sentinel_password: str = "") -> None:
        program = shutil.which("redis-server")
        require(program is not None, "there is no redis-server; apt-get install redis-server")
        self._program = str(program)
        self._folder = folder
        self._password = password
        self._sentinel_password = sentinel_password
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.servers = [free_port(), free_port()]
        self.sentinels = [free_port() for _ in range(SENTINELS)]

    @property
    def url(self) -> str:
        """The broker URL of the group."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"sentinel://{f':{self._password}@' if self._password else ''}{hosts}/0?master={GROUP}"

    def start(self) -> None:
        """Start all, and wait until the replica and the sentinels know what there is."""
        primary, replica = self.servers
        self.start_server(primary)
        self.start_server(replica, primary)
        for port in self.sentinels:
            self._start_sentinel(port, primary)
        eventually(lambda: self.replicas_in_step() == 1, "the replica is in step")
        eventually(self._is_watched, "the sentinels have found the replica and each other")

    def start_server(self, port: int, primary: int | None = None) -> None:
        """Start a server, as the replica of another one if that is given."""
        replication = ["--replicaof", f"127.0.0.1 {primary}"] if primary else []
        login = ["--requirepass", self._password, "--masterauth", self._password] if self._password else []
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        fast = ["--repl-diskless-sync-delay", "0", "--appendonly", "yes", "--save", ""]
        self._spawn(port, ["--port", str(port), "--dir", str(folder), *fast, *login, *replication])

    @property
    def replica(self) -> int:
        """The port of the other server."""
        (other,) = {*self.servers} - {self.primary}
        return other

    @property
    def primary(self) -> int:
        """The port of the server that the sentinels call the primary."""
        with self._sentinel(self.sentinels[0]) as sentinel:
            _, port = sentinel.sentinel_get_master_addr_by_name(GROUP)
        return int(port)

    def replicas_in_step(self) -> int:
        """Replicas that the primary counts."""
        with self.client(self.primary) as client:
            return int(client.info("replication")["connected_slaves"])

    def kill(self, port: int) -> None:
        """End a server as a crash does."""
        self._processes[port].kill()
        self._processes[port].wait(30)

    def freeze(self, port: int) -> None:
        """Have a server do nothing, with its connections open."""
        self._processes[port].send_signal(signal.SIGSTOP)

    def thaw(self, port: int) -> None:
        """Let a frozen server go on."""
        self._processes[port].send_signal(signal.SIGCONT)

    def wait_until_promoted(self, port: int) -> None:
        """Return when that server is the primary, for the sentinels and for itself."""

        def promoted() -> bool:
            with self.client(port) as client:
                return self.primary == port and client.info("replication")["role"] == "master"

        eventually(promoted, f"the server on port {port} is the primary", 60)

    def swap(self) -> None:
        """Have the sentinels exchange the roles of two healthy servers, as before maintenance."""
        other = self.replica
        with self._sentinel(self.sentinels[0]) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", GROUP)
        self.wait_until_promoted(other)

    def client(self, port: int) -> redis.Redis:
        """A client of one server."""
        return redis.Redis(port=port, password=self._password or None, decode_responses=True)

    def stop(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.kill()
            process.wait(30)

    def _sentinel(self, port: int) -> Any:
        return redis.Redis(port=port, password=self._sentinel_password or None, decode_responses=True)

    def _is_watched(self) -> bool:
        for port in self.sentinels:
            with self._sentinel(port) as sentinel:
                seen = sentinel.sentinel_master(GROUP)
            if (seen["num-slaves"], seen["num-other-sentinels"]) != (1, SENTINELS - 1):
                return False
        return True

    def _start_sentinel(self, port: int, primary: int) -> None:
        config = self._folder / f"sentinel-{port}.conf"
        lines = [
            f"port {port}",
            f"dir {self._folder}",
            f"sentinel monitor {GROUP} 127.0.0.1 {primary} {SENTINELS // 2 + 1}",
            f"sentinel down-after-milliseconds {GROUP} {DOWN_AFTER_MILLISECONDS}",
            f"sentinel failover-timeout {GROUP} 5000",
        ]
        if self._password:
            lines.append(f"sentinel auth-pass {GROUP} {self._password}")
        if self._sentinel_password:
            lines += [f"requirepass {self._sentinel_password}", f"sentinel sentinel-pass {self._sentinel_password}"]
        config.write_text("\n".join(lines) + "\n")
        self._spawn(port, [str(config), "--sentinel"])

    def _spawn(self, port: int, arguments: list[str]) -> None:
        with (self._folder / f"redis-{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen(
                [self._program, *arguments], stdout=log, stderr=log, start_new_session=True
            )
        wait_until_listening(port)


@contextmanager
def failover(folder: Path, **passwords: str) -> Iterator[Failover]:
    """A group that is ready."""
    group = Failover(folder, **passwords)
    try:
        group.start()
        yield group
    finally:
        group.stop()
