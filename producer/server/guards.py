"""What stands before every request: browsers are told to be strict, and no other site acts for who has signed in."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker_config.errors import NotPermitted
from producer.server import problems

CONTENT_SECURITY_POLICY = "; ".join(
    [
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    ]
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer; see OWASP, "HTTP Headers Cheat Sheet"."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Middleware around the whole app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what another site sends, and add headers to what is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope)
            await send(message)

        if scope["method"] in SAFE_METHODS or _is_own(Headers(scope=scope)):
            await self._app(scope, receive, send_guarded)
            return
        problem = NotPermitted("another site sent this request in your name; do it on the page itself")
        await problems.answer(problems.problem_of(problem))(scope, receive, send_guarded)


def _add_headers(headers: MutableHeaders, scope: Scope) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if not scope["path"].startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers["Strict-Transport-Security"] = "max-age=31536000"


def _is_own(headers: Headers) -> bool:
    """Whether no other site had a browser send it: browsers say which site does (W3C, "Fetch Metadata")."""
    if "Authorization" in headers:
        return True
    if site := headers.get("Sec-Fetch-Site"):
        return site in {"same-origin", "none"}
    if origin := headers.get("Origin"):
        return urlsplit(origin).netloc == headers.get("Host")
    return "Cookie" not in headers
