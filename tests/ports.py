"""Loopback ports for servers that tests start."""

from __future__ import annotations

import socket
import time


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_listening(port: int, seconds: float = 30.0) -> None:
    """Return when somebody accepts connections there."""
    deadline = time.monotonic() + seconds
    while not is_listening(port):
        assert time.monotonic() < deadline, f"nobody listens on port {port} after {seconds:.0f} s"
        time.sleep(0.05)
