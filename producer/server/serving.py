"""The app behind a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer on a socket that listens, until SIGINT or SIGTERM."""
    _server(app).run(sockets=[listener])


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app in a thread on a free port of loopback; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _server(app: FastAPI) -> uvicorn.Server:
    # What is waited for by a request is given up, or a stop would wait for it too.
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
