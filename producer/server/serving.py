"""The app behind a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvicorn
from fastapi import FastAPI


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer on a socket that listens, until SIGINT or SIGTERM."""
    _server(app, listener).run(sockets=[listener])


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app in a thread on a free port of loopback; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _server(app, listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Ends its streams before it waits for its answers to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = cast(FastAPI, self.config.app).state
        state.run_watcher.stop()
        state.list_watcher.stop()
        await super().shutdown(sockets)


def _server(app: FastAPI, listener: socket.socket) -> uvicorn.Server:
    # asyncio does this for sockets that name their protocol, which those of `create_server` do not. Without it each
    # answer, as it is written in two parts, waits 40 ms for the client's acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What is waited for by a request is given up, or a stop would wait for it too.
    return _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
