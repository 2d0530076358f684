"""A way to the Docker engine that a test can cut: a unix socket in front of the engine's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docker.utils import kwargs_from_env

from tests.services import require


class EngineProxy:
    """Passes connections on to the engine while it is `open`."""

    def __init__(self, path: Path) -> None:
        address = kwargs_from_env().get("base_url") or "unix:///var/run/docker.sock"
        require(address.startswith("unix://"), "this test cuts a unix socket; let DOCKER_HOST name one")
        self._engine = address.removeprefix("unix://")
        self._path = path
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        return f"unix://{self._path}"

    def open(self) -> None:
        """Take connections."""
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        self._start(self._accept, self._listener)

    def cut(self) -> None:
        """Close every connection and take no more, as an engine that goes down does."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self._path.unlink(missing_ok=True)
        self.cut_connections()

    def cut_connections(self) -> None:
        """Close every connection; new ones are taken."""
        with self._lock:
            for one in self._sockets:
                _hang_up(one)
            self._sockets.clear()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._engine)
            with self._lock:
                self._sockets += [client, engine]
            self._start(_pass_on, client, engine)
            self._start(_pass_on, engine, client)

    def _start(self, work: object, *sockets: socket.socket) -> None:
        thread = threading.Thread(target=work, args=sockets, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _hang_up(source)
    _hang_up(sink)


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def engine_proxy(folder: Path) -> Iterator[EngineProxy]:
    """A proxy that is open."""
    proxy = EngineProxy(folder / "docker.sock")
    proxy.open()
    try:
        yield proxy
    finally:
        proxy.cut()
        proxy.join()
