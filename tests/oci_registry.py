"""A registry for tests: enough of the OCI distribution API for the engine's own pushes and pulls, in memory.

The engine takes registries on loopback without TLS. Repositories below `refused/` answer as a registry does to whom it
does not know.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:\w+)")
_UPLOAD = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<upload>\w*)")
_MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")


class Registry(ThreadingHTTPServer):
    """What was pushed: blobs by digest, manifests by repository and reference."""

    daemon_threads = True

    def __init__(self, login: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.login = base64.b64encode(login.encode()).decode()  # "" is none
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.posts: dict[str, Callable[[bytes], tuple[int, dict[str, object]]]] = {}  # what it answers beside the API
        self.status = 0  # other than 0: of every answer
        self.asked: list[str] = []  # what was read, in order

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def put(self, name: str, tag: str, content: str = "") -> str:
        """Have an image in name only. Returns its digest."""
        body = json.dumps({"schemaVersion": 2, "tag": tag, "content": content}).encode()
        self.manifests[name, tag] = ("application/vnd.oci.image.manifest.v1+json", body)
        return _digest(body)


@contextmanager
def registry(login: str = "") -> Iterator[Registry]:
    """A registry on a free port of loopback. With a login, `user:password`, it wants a token that it gives for it."""
    server = Registry(login)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Docker tries TLS first, and goes on without it only when the answer to that begins with a status line.
    default_request_version = "HTTP/1.1"
    server: Registry

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        url = self._url()
        self.server.asked.append(f"{self.command} {url}")
        if self.server.status:
            self._fail(self.server.status, "UNAVAILABLE")
        elif url == "/token":
            self._token()
        elif not self._is_known():
            self._unknown()
        elif url == "/v2/":
            self._answer(200)
        elif match := _MANIFEST.fullmatch(url):
            found = self.server.manifests.get((match["name"], match["reference"]))
            self._found(found and found[1], found[0] if found else "", "MANIFEST_UNKNOWN")
        elif match := _BLOB.fullmatch(url):
            self._found(self.server.blobs.get(match["digest"]), "application/octet-stream", "BLOB_UNKNOWN")
        else:
            self._fail(404, "NOT_FOUND")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self._read()
        if (post := self.server.posts.get(self._url())) is not None:
            status, found = post(body)
            return self._answer(status, json.dumps(found).encode())
        if not self._is_known():
            return self._unknown()
        match = _UPLOAD.fullmatch(self._url())
        if match is None or match["name"].startswith("refused/"):
            return self._fail(403, "DENIED")
        upload = uuid.uuid4().hex
        self.server.uploads[upload] = b""
        return self._answer(202, headers={"Location": f"/v2/{match['name']}/blobs/uploads/{upload}", "Range": "0-0"})

    def do_DELETE(self) -> None:
        if not self._is_known():
            return self._unknown()
        if match := _MANIFEST.fullmatch(self._url()):
            return self._delete(match["name"], match["reference"])
        match = _UPLOAD.fullmatch(self._url())
        assert match is not None
        del self.server.uploads[match["upload"]]
        return self._answer(204)

    def _delete(self, name: str, digest: str) -> None:
        manifests = self.server.manifests
        found = [key for key, (_, body) in manifests.items() if key[0] == name and _digest(body) == digest]
        if name.startswith("kept/"):
            self._fail(405, "UNSUPPORTED")
        elif not found:
            self._fail(404, "MANIFEST_UNKNOWN")
        else:
            for key in found:
                del manifests[key]
            self._answer(202)

    def do_PATCH(self) -> None:
        match = _UPLOAD.fullmatch(self._url())
        assert match is not None
        self.server.uploads[match["upload"]] += self._read()
        size = len(self.server.uploads[match["upload"]])
        self._answer(202, headers={"Location": self._url(), "Range": f"0-{size - 1}"})

    def do_PUT(self) -> None:
        body = self._read()
        if match := _UPLOAD.fullmatch(self._url()):
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            self.server.blobs[digest] = self.server.uploads.pop(match["upload"]) + body
        elif match := _MANIFEST.fullmatch(self._url()):
            digest = _digest(body)
            for reference in (match["reference"], digest):
                self.server.manifests[match["name"], reference] = (self.headers["Content-Type"], body)
        self._answer(201, headers={"Docker-Content-Digest": _digest(body), "Location": self._url()})

    def _is_known(self) -> bool:
        return not self.server.login or self.headers.get("Authorization") == f"Bearer {self.server.login}"

    def _unknown(self) -> None:
        challenge = f'Bearer realm="http://{self.server.address}/token",service="tests"'
        self._fail(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})

    def _token(self) -> None:
        if self.headers.get("Authorization") == f"Basic {self.server.login}":
            self._answer(200, json.dumps({"token": self.server.login}).encode())
        else:
            self._fail(401, "UNAUTHORIZED")

    def _url(self) -> str:
        return urlsplit(self.path).path

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _found(self, body: bytes | None, kind: str, code: str) -> None:
        if self._url().startswith("/v2/refused/"):
            self._fail(403, "DENIED")
        elif body is None:
            self._fail(404, code)
        else:
            self._answer(200, body, {"Content-Type": kind, "Docker-Content-Digest": _digest(body)})

    def _fail(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
        self._answer(status, body, {"Content-Type": "application/json", **(headers or {})})

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()
