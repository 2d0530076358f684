"""The form in which a queue is created and edited, and what is found about it while it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from broker_config.errors import InvalidConfig, InvalidRequest, LaunchyardError
from broker_config.findings import Finding, Severity, error
from broker_config.queues import DEFAULT_ENTITY, LIMITS, Queue, QueueRecord, full_name, parse_queue
from broker_config.texts import read, read_object
from producer.drafts import check, known_resources
from producer.server.page.rendering import Form, Viewer, Viewing, page, queue_path, text_of, to_yaml
from producer.server.problems import status_of

router = APIRouter()

ONE = "/queues/{entity}/{name}"
MORE = ("overridable", "pin_images", "retries", "timeouts", "external_links")
"""Fields of a queue that stand together in one text: they are rarely changed."""

_PLACED = re.compile(r"(?P<place>(?:config|template variables|more):\d+:\d+): (?P<text>.*)", re.DOTALL)

_EXAMPLE_MORE = """\
# retries: {infra: 2, preempted: 5}
# timeouts: {run: 86400}
# overridable: variables
# pin_images: enqueue
"""


class Draft(NamedTuple):
    """What a form says, and what is found about it."""

    queue: Queue | None  # None: it cannot be written
    findings: list[Finding]
    status_code: int = 200


def drafted(form: Mapping[str, Any]) -> Draft:
    """Read a form. Every problem is among the findings."""
    fields: dict[str, Any] = {
        "name": text_of(form, "name"),
        "entity": text_of(form, "entity") or DEFAULT_ENTITY,
        "resource": text_of(form, "resource"),
        "description": text_of(form, "description"),
        "prioritization": "prioritization" in form,
        "private": "private" in form,
    }
    try:
        document = read(text_of(form, "config") or "{}", "config")
        fields |= {"config": document.object, **_more(text_of(form, "more"))}
        fields["template_variables"] = (
            read(text_of(form, "template_variables") or "{}", "template variables").data or {}
        )
        fields |= {name: _number(form, name) for name in LIMITS}
        queue = parse_queue(fields)
        return Draft(queue, check(queue, document))
    except InvalidConfig as problem:
        return Draft(None, list(problem.findings), 422)
    except InvalidRequest as problem:
        return Draft(None, [_told(problem)], 422)


def _told(problem: InvalidRequest) -> Finding:
    """A problem as a finding, with the place that its sentence begins with."""
    place, text = (found["place"], found["text"]) if (found := _PLACED.fullmatch(str(problem))) else ("", str(problem))
    return Finding(Severity.ERROR, "", text, place)


def _number(form: Mapping[str, Any], name: str) -> int | None:
    text = text_of(form, name)
    if not text.isascii() or (text and not text.isdigit()):
        raise InvalidRequest(f"{name.replace('_', ' ')} is {text!r}; write a whole number, or nothing for no limit")
    return int(text[:10]) or None if text else None


def _more(text: str) -> dict[str, Any]:
    given = read_object(text, "more") if text else {}
    if unknown := [name for name in given if name not in MORE]:
        raise InvalidRequest(f"more: {unknown[0]!r} has no place there; it may say {', '.join(MORE)}")
    return given


@router.get("/queues/new")
def show_new(request: Request, viewer: Viewing) -> Response:
    """An empty form."""
    values = {"entity": DEFAULT_ENTITY, "resource": "docker", "more": _EXAMPLE_MORE}
    return _form_page(request, viewer, values, Draft(None, []))


@router.post("/queues/check")
def check_draft(request: Request, viewer: Viewing, form: Form) -> Response:
    """What is found about the form as it is now, as a part of its page."""
    return page(request, viewer, "_findings.html", findings=drafted(form).findings, is_complete=bool(form.get("name")))


@router.post("/queues")
def create(request: Request, viewer: Viewing, form: Form) -> Response:
    """Write a new queue."""
    return _written(request, viewer, form, None)


@router.get(f"{ONE}/edit")
def show_edit(request: Request, viewer: Viewing, entity: str, name: str) -> Response:
    """The form with a queue in it."""
    record = viewer.yard.queues.get(full_name(name, entity))
    return _form_page(request, viewer, _values(record), Draft(record.queue, []), record)


@router.post(f"{ONE}/edit")
def edit(request: Request, viewer: Viewing, entity: str, name: str, form: Form) -> Response:
    """Write the queue's next revision."""
    record = viewer.yard.queues.get(full_name(name, entity))
    return _written(request, viewer, {**form, "name": record.queue.name, "entity": record.queue.entity}, record)


def _written(request: Request, viewer: Viewer, form: Mapping[str, Any], record: QueueRecord | None) -> Response:
    draft = drafted(form)
    if draft.queue is None:
        return _form_page(request, viewer, form, draft, record)
    try:
        if record is None:
            viewer.yard.queues.create(draft.queue)
        else:
            expected = _number(form, "expected")
            viewer.yard.queues.edit(draft.queue, expected, text_of(form, "note")[:1000])
    except LaunchyardError as problem:
        return _form_page(request, viewer, form, Draft(None, [error("", str(problem))], status_of(problem)), record)
    return RedirectResponse(queue_path(draft.queue.full_name), 303)


def _values(record: QueueRecord) -> dict[str, Any]:
    """What a form says of a queue that there is."""
    stored = record.queue.model_dump(mode="json", exclude_defaults=True)
    texts = {name: to_yaml(stored.get(name)) for name in ("config", "template_variables")}
    return {**stored, **texts, "more": to_yaml({name: stored[name] for name in MORE if name in stored})}


def _form_page(
    request: Request,
    viewer: Viewer,
    values: Mapping[str, Any],
    draft: Draft,
    record: QueueRecord | None = None,
) -> Response:
    return page(
        request,
        viewer,
        "queue_form.html",
        status_code=draft.status_code,
        values=values,
        findings=draft.findings,
        is_complete=bool(values.get("name")),
        record=record,
        entities=sorted({DEFAULT_ENTITY, viewer.principal.name, *viewer.principal.roles}),
        resources=sorted(known_resources() - {"stub"}),
        limits=LIMITS,
    )
