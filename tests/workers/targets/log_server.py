"""The part of an API server that gives the logs of pods, with what a real one answers only now and then."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.workers.kubernetes.api_server import kubeconfig
from workers.kubernetes.cluster import Cluster

NOT_FOUND, AWAY = 404, 503


class LogServer:
    """By pod, container and whether it is the earlier start: the lines that are there, or an error's code."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, str, bool], list[str] | int] = {}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, str]:
        """Lines from the second on that is asked for; each begins with its time."""
        key = (path.split("/")[-2], query["container"][0], query["previous"][0] == "true")
        found = self.logs.get(key, NOT_FOUND)
        if isinstance(found, int):
            return found, json.dumps({"reason": "Error", "message": "no log"})
        since = query.get("sinceTime", [""])[0].rstrip("Z")
        return 200, "".join(f"{line}\n" for line in found if not line[0].isdigit() or line >= since)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[LogServer, Cluster]]:
    """A server, and the cluster that it is."""
    server = LogServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, text = server.answer(parts.path, parse_qs(parts.query))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server, Cluster(str(kubeconfig(folder, http.server_port)))
        finally:
            http.shutdown()
