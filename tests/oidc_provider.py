"""An identity provider of our own, which checks what it is sent, and misbehaves when it is told to.

Source of the formats: "OpenID Connect Core 1.0", "OpenID Connect Discovery 1.0", RFC 7636 (PKCE), RFC 9207 (`iss`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID, CLIENT_SECRET = "launchyard", "secret: +/&"
_ANY = JWSRegistry(algorithms=["RS256", "HS256"], strict_check_header=False)


@dataclass
class OidcProvider:
    """Signs in whoever comes as `person`. All of its fields may be changed while it runs."""

    issuer: str = ""
    redirect_uri: str = ""  # the only one that it goes back to
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "1001", "preferred_username": "bob"})
    userinfo: dict[str, Any] | None = None  # None: there is no such endpoint
    claims: dict[str, Any] = field(default_factory=dict)  # in the ID token, in place of what is right
    described: dict[str, Any] = field(default_factory=dict)  # in the description, in place of what is right
    answered: dict[str, str] = field(default_factory=dict)  # to the browser, in place of what is right
    token: dict[str, Any] = field(default_factory=dict)  # at the token endpoint, in place of what is right
    faults: dict[str, int] = field(default_factory=dict)  # statuses, by path
    seconds: float = 0.0  # that every answer takes
    algorithm: str = "RS256"
    signing_key: RSAKey = field(default_factory=lambda: key("one"))
    shown_keys: list[RSAKey] | None = None  # None: the one that signs
    asked: list[str] = field(default_factory=list)  # paths, in their order
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)  # codes, verifiers and tokens that it saw or made

    def id_token(self, nonce: str) -> str:
        """A token for the person."""
        now = int(time.time())
        right = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        claims = {name: value for name, value in {**right, **self.claims}.items() if value is not None}
        if self.algorithm == "none":
            return ".".join([_base64(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)] + [""])
        signs = OctKey.import_key(CLIENT_SECRET * 4) if self.algorithm == "HS256" else self.signing_key
        header = {"alg": self.algorithm, "kid": self.signing_key.kid, "x-of-their-own": "1"}
        return jwt.encode(header, claims, signs, registry=_ANY)

    def description(self) -> dict[str, Any]:
        """What it says of itself."""
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
            "id_token_signing_alg_values_supported": ["RS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return right | ({"userinfo_endpoint": f"{self.issuer}/userinfo"} if self.userinfo else {}) | self.described

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes on to: back, with a code."""
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["code_challenge_method"] == "S256"
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        self.given.append(code)
        answer = {"code": code, "state": asked["state"], "iss": self.issuer, **self.answered}
        return f"{asked['redirect_uri']}?{urlencode({name: value for name, value in answer.items() if value})}"

    def exchange(self, authorization: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What a code is good for."""
        expected = _base64(f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}".encode(), padded=True)
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        began = self.codes.pop(asked["code"], None)  # once only
        challenge = _base64(hashlib.sha256(asked["code_verifier"].encode()).digest())
        if (
            began is None
            or asked["grant_type"] != "authorization_code"
            or asked["redirect_uri"] != began["redirect_uri"]
            or challenge != began["code_challenge"]
        ):
            return 400, {"error": "invalid_grant", "error_description": "this code is of no use"}
        right = {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token(began["nonce"])}
        self.given += [asked["code_verifier"], str(right["id_token"])]
        return 200, right | self.token


@cache
def key(name: str) -> RSAKey:
    """The key pair of that name."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@contextmanager
def oidc_provider() -> Iterator[OidcProvider]:
    """One on a free port of loopback."""
    provider = OidcProvider()
    config = uvicorn.Config(_app(provider), log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        provider.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="oidc-provider")
        thread.start()
        try:
            yield provider
        finally:
            server.should_exit = True
            thread.join()


def _app(provider: OidcProvider) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def misbehave(request: Request, call_next: Any) -> Response:
        provider.asked.append(request.url.path)
        await asyncio.sleep(provider.seconds)
        fault = provider.faults.get(request.url.path)
        return JSONResponse({"told": "nothing"}, fault) if fault else await call_next(request)

    @app.get("/.well-known/openid-configuration")
    def describe() -> dict[str, Any]:
        return provider.description()

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        return RedirectResponse(provider.authorize(dict(request.query_params)), 302)

    @app.post("/token")
    async def exchange(request: Request) -> Response:
        asked = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        status, answer = provider.exchange(request.headers.get("Authorization", ""), asked)
        return JSONResponse(answer, status)

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        shown = [provider.signing_key] if provider.shown_keys is None else provider.shown_keys
        return dict(KeySet(list(shown)).as_dict(private=False))

    @app.get("/userinfo")
    def userinfo(request: Request) -> Response:
        is_known = request.headers.get("Authorization") == "Bearer access"
        return JSONResponse(provider.userinfo if is_known else {"error": "invalid_token"}, 200 if is_known else 401)

    return app


def _base64(data: bytes, *, padded: bool = False) -> str:
    text = base64.standard_b64encode(data) if padded else base64.urlsafe_b64encode(data).rstrip(b"=")
    return text.decode()
