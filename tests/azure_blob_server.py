"""Azure Blob Storage for tests: the part of its REST API that block blobs need, over HTTP on loopback.

After "Blob Storage REST API" of Microsoft Learn, version 2021-12-02. Signatures are not checked; one
account is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

ACCOUNT, REFUSING_ACCOUNT = "testing", "refusing"
_KEY = "dGVzdGluZw=="


class _Storage(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}  # by container/name
        self.blocks: dict[tuple[str, str], bytes] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Storage

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""

    def do_PUT(self) -> None:
        path, query, body = self._request()
        container = path.partition("/")[0]
        if query.get("restype") == "container":
            self.server.blobs.setdefault(f"{container}/", b"")
        elif f"{container}/" not in self.server.blobs:
            return self._answer(404, code="ContainerNotFound")
        elif query.get("comp") == "block":
            self.server.blocks[path, query["blockid"]] = body
        elif query.get("comp") == "blocklist":
            ids = [block.text or "" for block in ElementTree.fromstring(body)]
            self.server.blobs[path] = b"".join(self.server.blocks.pop((path, one)) for one in ids)
        else:
            self.server.blobs[path] = body
        return self._answer(201)

    def do_GET(self) -> None:
        path, query, _ = self._request()
        if query.get("comp") == "list":
            return self._list(path.partition("/")[0], query.get("prefix", ""))
        if path not in self.server.blobs or path.endswith("/"):
            return self._answer(404, code="BlobNotFound")
        data = self.server.blobs[path]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("x-ms-range") or self.headers.get("Range") or "")
        if wanted is None:
            return self._answer(200, data)
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        if start >= len(data):
            return self._answer(416, code="InvalidRange")
        return self._answer(206, data[start : end + 1], **{"Content-Range": f"bytes {start}-{end}/{len(data)}"})

    do_HEAD = do_GET  # noqa: N815

    def do_DELETE(self) -> None:
        path, _, _ = self._request()
        known = self.server.blobs.pop(path, None)
        return self._answer(404, code="BlobNotFound") if known is None else self._answer(202)

    def _request(self) -> tuple[str, dict[str, str], bytes]:
        """The container and blob, the query, and the body."""
        parts = urlsplit(self.path)
        self.account, _, path = unquote(parts.path).strip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return path, query, self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _list(self, container: str, prefix: str) -> None:
        names = [path.partition("/")[2] for path in self.server.blobs if path.startswith(f"{container}/{prefix}")]
        kind = "<BlobType>BlockBlob</BlobType><Content-Length>1</Content-Length>"
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties>{kind}</Properties></Blob>" for name in names if name
        )
        results = (
            f'<EnumerationResults ContainerName="{container}"><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'
        )
        text = f'<?xml version="1.0"?>{results}'
        self._answer(200, text.encode(), **{"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes = b"", code: str = "", **headers: str) -> None:
        if self.account == REFUSING_ACCOUNT:
            status, body, code = 403, b"", "AuthorizationFailure"
        self.send_response(status)
        fixed = {
            "Content-Length": str(len(body)),
            "Last-Modified": formatdate(usegmt=True),
            "ETag": '"0x1"',
            "x-ms-version": "2021-12-02",
            "x-ms-blob-type": "BlockBlob",
            "x-ms-creation-time": formatdate(usegmt=True),
            "x-ms-request-server-encrypted": "true",
        }
        for name, value in {**fixed, **({"x-ms-error-code": code} if code else {}), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def azure_blobs() -> Iterator[tuple[str, str]]:
    """Connection strings with which Azure's SDK speaks to a server on a free port: one that works, one refused."""
    server = _Storage()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        yield _connection(endpoint, ACCOUNT), _connection(endpoint, REFUSING_ACCOUNT)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _connection(endpoint: str, account: str) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={_KEY};BlobEndpoint={endpoint}/{account};"
