"""A registry that answers what a test has written down, fault by fault."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Say:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_cut: bool = False  # the connection ends before the answer, or in its middle when it has a body


CUT = Say(0, is_cut=True)


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    authorization: str | None


class Scripted(ThreadingHTTPServer):
    """The last answer is given again and again."""

    daemon_threads = True

    def __init__(self, answers: list[Say]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[Asked] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.command, self.path, self.headers.get("Authorization")))
        answers = self.server.answers
        say = answers.pop(0) if len(answers) > 1 else answers[0]
        if say is CUT:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(say.status)
        for name, value in say.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(say.body) * (2 if say.is_cut else 1)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(say.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()


@contextmanager
def scripted(*answers: Say) -> Iterator[Scripted]:
    """One on a free port of loopback."""
    server = Scripted(list(answers))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
