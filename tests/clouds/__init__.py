"""The edges of clouds that have no emulator: who gives tokens, and what ACR adds to a registry.

Formats: "Using OAuth 2.0 for server to server applications", "How to use managed identities for App Service",
"ACR: AAD-OAuth".
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.oci_registry import Registry

TOKEN = "token-of-the-cloud"


class Tokens(ThreadingHTTPServer):
    """Gives everybody the same token, in Google's way and in Azure's. `is_refusing`: it has none to give."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.is_refusing = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Tokens

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.server.is_refusing:
            return self._answer(400, {"error": "invalid_grant"})
        until = str(int(time.time()) + 3600)
        return self._answer(
            200, {"access_token": TOKEN, "expires_in": 3600, "expires_on": until, "token_type": "Bearer"}
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def _answer(self, status: int, body: dict[str, object]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def tokens() -> Iterator[Tokens]:
    """Who gives tokens, on a free port of loopback."""
    server = Tokens()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def google(server: Tokens, home: Path) -> dict[str, str]:
    """Variables with which Google's library has a service account whose tokens come from there."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"type": "service_account", "project_id": "project", "private_key_id": "1", "private_key": text}
    account |= {"client_email": "agent@project.example", "token_uri": f"http://{server.address}/token"}
    path = home / "account.json"
    path.write_text(json.dumps(account))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}


def azure(server: Tokens) -> dict[str, str]:
    """Variables with which Azure's library takes that for App Service's identity endpoint."""
    return {"IDENTITY_ENDPOINT": f"http://{server.address}/token", "IDENTITY_HEADER": "secret"}


def exchanges(registry: Registry, refresh_token: str) -> None:
    """Have the registry change a token of Azure's into its own, as ACR does."""

    def exchange(body: bytes) -> tuple[int, dict[str, object]]:
        form = parse_qs(body.decode())
        if form["grant_type"] == ["access_token"] and form["access_token"] == [TOKEN]:
            return 200, {"refresh_token": refresh_token}
        return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "unauthorized"}]}

    registry.posts["/oauth2/exchange"] = exchange
