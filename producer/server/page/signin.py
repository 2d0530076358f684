"""Signing in with an API key or by a link, and signing out."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from broker_config.accounts.api_keys import read
from broker_config.errors import LaunchyardError, NotIdentified
from broker_config.store.sessions import SESSION_LASTS, Session
from producer.server.identity import COOKIE, NO_USE, address_of, drop_cookie, keep_cookie, session_text
from producer.server.page.rendering import Form, page
from producer.server.problems import status_of

router = APIRouter()


@router.get("/signin")
def show(request: Request, next: str = "/", link: str = "") -> Response:
    """Where to show a key; or, with a link's text, a button, so that nobody is signed in by merely looking."""
    session = request.app.state.store.sessions.linked(link) if link else None
    problem = "this link was used already, or is too old; ask for another one" if link and session is None else ""
    return page(request, None, "signin.html", next=inside(next), link=link, session=session, problem=problem)


@router.post("/signin")
def sign_in(request: Request, form: Form) -> Response:
    """Begin a session with the key, or the link, in the form."""
    store, wanted = request.app.state.store, inside(str(form.get("next", "/")))
    if link := str(form.get("link", "")):
        if text := store.sessions.use_link(link):
            return begun(request, text, wanted)
        return RedirectResponse("/signin?link=used", 303)
    secret = read(str(form.get("key", "")).strip())
    pace, address, key = request.app.state.pace, address_of(request), secret.id if secret else ""
    pace.expect_patience(address, key)
    principal = store.accounts.identify(secret) if secret else None
    if secret is None or principal is None:
        pace.was_wrong(address, key)
        return again(request, wanted, NotIdentified(NO_USE))
    return begun(request, store.sessions.begin(Session(principal=principal.name, key=secret.id)), wanted)


@router.post("/signout")
def sign_out(request: Request) -> Response:
    """End the session."""
    if text := session_text(request):
        request.app.state.store.sessions.end(text)
    response = RedirectResponse("/signin", 303)
    drop_cookie(response, request, COOKIE)
    return response


def again(request: Request, wanted: str, error: LaunchyardError) -> Response:
    """The form anew, with what went wrong."""
    told = {"next": wanted, "link": "", "session": None, "problem": str(error)}
    return page(request, None, "signin.html", status_code=status_of(error), **told)


def begun(request: Request, text: str, wanted: str) -> Response:
    """Go to the page that was wanted, with a session; one that was there before has ended."""
    if earlier := session_text(request):
        request.app.state.store.sessions.end(earlier)
    response = RedirectResponse(wanted, 303)
    keep_cookie(response, request, COOKIE, text, SESSION_LASTS)
    return response


def inside(wanted: str) -> str:
    """The address of one of our own pages; the first one where it is none."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return wanted if is_ours and wanted.isprintable() else "/"
