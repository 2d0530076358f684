"""Free ports of this machine."""

from __future__ import annotations

import socket

_TRIED = 20


def free_from(first: int) -> int:
    """The first free port of loopback from that one on; that one itself where none of the next ones is free."""
    for port in range(first, first + _TRIED):
        with socket.socket() as probe:
            # As servers do it: what a connection of one that ended has left does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return first
