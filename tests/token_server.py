"""Who gives tokens for a registry, as Harbor, GHCR, ACR and Artifact Registry have one beside theirs.

Source of the formats: "Token Authentication Specification" and "OAuth2 Token Authentication" of the CNCF registry.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


class TokenServer(ThreadingHTTPServer):
    """Gives tokens for everything to users with a password, and to those with an identity token."""

    daemon_threads = True
    issuer = "tests"
    service = "registry of tests"

    def __init__(self, users: Mapping[str, str], identity_token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users = users
        self.identity_token = identity_token
        self.only_posts = False
        self.seconds = 60
        self.given: list[tuple[str, str]] = []  # how it was asked, and for what
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed().public_bytes(Encoding.PEM)

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token"

    def token(self, scope: str) -> str:
        """A JSON Web Token, signed with ES256, with the certificate that a registry checks it by."""
        certificate = base64.b64encode(x509.load_pem_x509_certificate(self.certificate).public_bytes(Encoding.DER))
        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "agent",
            "aud": self.service,
            "jti": "one",
            "iat": now,
            "nbf": now - 5,
            "exp": now + self.seconds,
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        text = b".".join(map(_encoded, ({"typ": "JWT", "alg": "ES256", "x5c": [certificate.decode()]}, claims)))
        parts = utils.decode_dss_signature(self._key.sign(text, ec.ECDSA(hashes.SHA256())))
        return f"{text.decode()}.{_base64(b''.join(part.to_bytes(32) for part in parts)).decode()}"

    def _signed(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.issuer)])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        return builder.public_key(self._key.public_key()).sign(self._key, hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        user, _, password = given.partition(":")
        if self.server.only_posts:
            self._answer(405, {})
        else:
            self._give("GET", asked, self.server.users.get(user) == password)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        if asked["grant_type"] == "refresh_token":
            is_known = asked["refresh_token"] == self.server.identity_token
        else:
            is_known = self.server.users.get(asked["username"]) == asked["password"]
        self._give(asked["grant_type"], asked, is_known and bool(asked["client_id"]))

    def _give(self, how: str, asked: Mapping[str, str], is_known: bool) -> None:
        if not is_known or asked["service"] != self.server.service:
            return self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]})
        self.server.given.append((how, asked["scope"]))
        return self._answer(200, {"access_token": self.server.token(asked["scope"]), "expires_in": self.server.seconds})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def token_server(users: Mapping[str, str], identity_token: str = "") -> Iterator[TokenServer]:
    """One on a free port of loopback."""
    server = TokenServer(users, identity_token)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _encoded(part: Mapping[str, Any]) -> bytes:
    return _base64(json.dumps(part).encode())


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
