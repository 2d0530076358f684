"""How a page is made: the templates, and what all of them know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import yaml
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from starlette.datastructures import FormData

from broker_config import __version__
from broker_config.accounts.rights import Action, Principal
from broker_config.queues import DEFAULT_ENTITY, full_name
from broker_config.states import State
from producer.installation import Installation
from producer.readable import age, size, source_text

STATE_KINDS: Mapping[State, str] = {
    State.QUEUED: "waits",
    **dict.fromkeys((State.CLAIMED, State.BUILDING, State.SUBMITTING, State.STARTING), "starts"),
    State.RUNNING: "runs",
    State.SUCCEEDED: "good",
    State.FAILED: "bad",
    **dict.fromkeys((State.CANCELLED, State.PREEMPTED), "ended"),
}
"""By which a state has its colour and mark."""

STARTING = (State.CLAIMED, State.BUILDING, State.SUBMITTING, State.STARTING)


class Viewer(NamedTuple):
    """Somebody at the page, and the installation as that one may see and change it."""

    principal: Principal
    yard: Installation

    def may(self, action: str, queue: str = "") -> bool:
        """Whether a button for that is shown; what it does asks again."""
        entity = full_name(queue).rpartition("/")[0] or DEFAULT_ENTITY
        return self.principal.may(Action(action), entity, full_name(queue) if queue else None)


def _viewer(request: Request) -> Viewer:
    state = request.app.state
    identity = state.identify(request)
    return Viewer(identity.principal, state.installation_of(identity))


async def _form(request: Request) -> FormData:
    return await request.form()


Viewing = Annotated[Viewer, Depends(_viewer)]
Form = Annotated[FormData, Depends(_form)]


def page(
    request: Request, viewer: Viewer | None, template: str, /, *, status_code: int = 200, **context: Any
) -> HTMLResponse:
    """A page from that template."""
    state = request.app.state
    told = {"flower_url": state.flower_url, "has_history": state.has_history}
    told |= {"viewer": viewer, "path": request.url.path, **context}
    return _templates.TemplateResponse(request, template, told, status_code)


def error_page(request: Request, status_code: int, title: str, text: str) -> HTMLResponse:
    """A page that tells what went wrong."""
    return page(request, None, "error.html", status_code=status_code, title=title, text=text)


def text_of(form: Mapping[str, Any], name: str) -> str:
    """What stands in a field; empty where there is none."""
    return str(form.get(name, "")).strip()


def queue_path(name: str, *more: str) -> str:
    """Where the page of a queue is."""
    entity, _, own = full_name(name).rpartition("/")
    return "/".join(["/queues", quote(entity or DEFAULT_ENTITY), quote(own), *more])


def to_yaml(value: Any) -> str:
    """A document as text; nothing for an empty one."""
    if not value:
        return ""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
_templates.env.trim_blocks = _templates.env.lstrip_blocks = True
_templates.env.globals |= {
    "State": State,
    "kind_of": STATE_KINDS.__getitem__,
    "queue_path": queue_path,
    "version": __version__,
}
_templates.env.filters |= {"source": source_text, "age": age, "size": size, "moment": _moment, "yaml": to_yaml}
