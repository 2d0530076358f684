"""The part of an API server that an informer speaks to, with the faults that a real one has only now and then."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATH = "/api/v1/namespaces/default/pods"


class ApiServer:
    """Lists and watches of one path."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 1
        self.oldest = 0  # versions up to this one are not kept: a watch from there is answered with 410
        self.told = 0  # the last version that a watch was told of
        self.refusals = 0  # how many of the next requests are answered with 500
        self.is_away = False  # connections are closed without an answer
        self.is_leaving = False  # each watch ends as soon as it began
        self.calls: Counter[str] = Counter()
        self._events: list[tuple[int, str, dict[str, Any]]] = []
        self._changed = threading.Condition()
        self._cut = 0

    def put(self, name: str, **labels: str) -> None:
        """Make or change an object."""
        kind = "MODIFIED" if name in self.objects else "ADDED"
        self._write(kind, name, {"metadata": {"name": name, "labels": labels}})

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._write("DELETED", name, self.objects[name])

    def bookmark(self) -> None:
        """Tell those who watch which version it is."""
        self._write("BOOKMARK", "", {"metadata": {}})

    def cut(self) -> None:
        """End all watches that are open."""
        with self._changed:
            self._cut += 1
            self._changed.notify_all()

    def forget_history(self) -> None:
        """Keep no earlier versions."""
        self.oldest = self.version

    def _write(self, kind: str, name: str, content: dict[str, Any]) -> None:
        with self._changed:
            self.version += 1
            content = {**content, "metadata": {**content["metadata"], "resourceVersion": str(self.version)}}
            if kind == "DELETED":
                del self.objects[name]
            elif kind != "BOOKMARK":
                self.objects[name] = content
            self._events.append((self.version, kind, content))
            self._changed.notify_all()

    def page(self, start: int, limit: int) -> dict[str, Any]:
        """A part of the list."""
        names = sorted(self.objects)
        rest = str(start + limit) if start + limit < len(names) else ""
        items = [self.objects[name] for name in names[start : start + limit]]
        metadata = {"resourceVersion": str(self.version), "continue": rest}
        return {"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": items}

    def events(self, version: int) -> Iterator[dict[str, Any]]:
        """What a watch from a version tells, until it is cut."""
        if version < self.oldest:
            yield {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
            return
        cut = self._cut
        while not self.is_leaving:
            with self._changed:
                while not (fresh := [one for one in self._events if one[0] > version]) and self._cut == cut:
                    self._changed.wait()
            if self._cut != cut:
                return
            for at, kind, content in fresh:
                version = at
                yield {"type": kind, "object": content}
                self.told = at


def _handler(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            server.calls["watch" if "watch" in query else "list"] += 1
            if server.is_away:
                self.close_connection = True
                return
            if server.refusals:
                server.refusals -= 1
                self._answer(500, {"message": "etcd is not there", "reason": "InternalError"})
            elif "watch" in query:
                self._watch(int(query["resourceVersion"]))
            else:
                self._answer(200, server.page(int(query.get("continue", 0)), int(query["limit"])))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _watch(self, version: int) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in server.events(version):
                line = json.dumps(event).encode() + b"\n"
                # In two pieces: a line may come in any number of them.
                for piece in (line[:7], line[7:]):
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def kubeconfig(folder: Path, port: int) -> Path:
    """A kubeconfig that leads to a server on this machine."""
    content = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    config = folder / "kubeconfig"
    config.write_text(json.dumps(content))
    return config


@contextmanager
def serving(folder: Path) -> Iterator[tuple[ApiServer, str]]:
    """A server, and the path of a kubeconfig that leads to it."""
    server = ApiServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        config = kubeconfig(folder, http.server_port)
        try:
            yield server, str(config)
        finally:
            server.cut()
            http.shutdown()
