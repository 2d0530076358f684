"""A socket in front of another one, on which a test can lose replies, hold everything back, or cut the wires."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Passes connections on. What it does to them holds for those that are open and for those that come."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listener = listener
        self._connect = connect
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._loses = False
        self._refuses = False
        self.lost = 0
        """Pieces of replies that were thrown away since `lose_replies`."""
        self._start(self._accept)

    def freeze(self) -> None:
        """Hold back what comes from either side; nothing is lost."""
        self._flows.clear()

    def thaw(self) -> None:
        """Pass on what was held back."""
        self._flows.set()

    def lose_replies(self) -> None:
        """Pass requests on and throw the replies away, until `cut`: what was asked for is done, and nobody knows."""
        self.lost = 0
        self._loses = True

    def refuse(self) -> None:
        """Close every connection, and each one that comes, until `accept`."""
        self._refuses = True
        self.cut()

    def accept(self) -> None:
        """Pass connections on again."""
        self._refuses = False

    def cut(self) -> None:
        """Close every connection; new ones work."""
        # First, so that no connection stays open of which a reply was lost: its client would wait for ever.
        self._loses = False
        with self._lock:
            held, self._sockets = self._sockets, set()
        for one in held:
            _hang_up(one)

    def close(self) -> None:
        """Take no more, and close every connection."""
        self.thaw()
        _hang_up(self._listener)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._refuses:
                    raise ConnectionRefusedError
                server = self._connect()
            except OSError:
                # The server is down, and a client of it would not get through either.
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            self._start(self._pass_on, client, server, False)
            self._start(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if is_reply and self._loses:
                    self.lost += 1
                    continue
                sink.sendall(data)
        _hang_up(source)
        _hang_up(sink)
        source.close()
        with self._lock:
            self._sockets -= {source}

    def _start(self, work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]


class SocketProxy(Proxy):
    """Between unix sockets."""

    def __init__(self, path: Path, upstream: Path) -> None:
        self._path = path
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(256)
        super().__init__(listener, lambda: _connected(upstream))

    def close(self) -> None:
        """Take no more, and close every connection."""
        super().close()
        self._path.unlink(missing_ok=True)


class TcpProxy(Proxy):
    """Between ports; its own is on loopback."""

    def __init__(self, host: str, port: int) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        super().__init__(listener, lambda: socket.create_connection((host, port), timeout=5))


def _connected(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(str(path))
    except OSError:
        made.close()
        raise
    return made


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
