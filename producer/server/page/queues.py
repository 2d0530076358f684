"""Queues: the list, and one queue with its order, its slots, its revisions, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from broker_config.frozen import parse
from broker_config.masks import masked
from broker_config.queues import full_name
from broker_config.revisions import QueueRevision, changes, unified_diff
from broker_config.states import State
from producer.server.page.overview import queue_rows, serves
from producer.server.page.rendering import Form, Viewing, page, queue_path, to_yaml
from producer.wire import RollBack

router = APIRouter()

ONE = "/queues/{entity}/{name}"
LISTED = 100
REVISIONS_LISTED = 20


@router.get("/queues")
def show_list(request: Request, viewer: Viewing) -> Response:
    """All queues."""
    return page(request, viewer, "queues.html", rows=queue_rows(viewer.yard, viewer.yard.agents.list()))


@router.get(ONE)
def show(request: Request, viewer: Viewing, entity: str, name: str) -> Response:
    """One queue."""
    yard = viewer.yard
    record = yard.queues.get(full_name(name, entity))
    counts = yard.queues.counts(record.name)
    return page(
        request,
        viewer,
        "queue.html",
        record=record,
        queue=record.queue,
        counts=counts,
        waiting=yard.runs.waiting(record.name, LISTED),
        taken=sum(counts[state] for state in State if state.is_live),
        live=yard.runs.live(record.name, LISTED),
        agents=[info for info, is_alive in yard.agents.list() if serves(info, is_alive, record.name)],
        revisions=_revisions(yard.queues.history(record.name)),
        config=to_yaml(masked(record.queue.config)),
    )


class RevisionRow(NamedTuple):
    """A revision, and what it changed."""

    revision: QueueRevision
    changed: str
    diff: Sequence[str]


def _revisions(kept: Sequence[QueueRevision]) -> list[RevisionRow]:
    rows = []
    # Each beside the one before it; of the oldest that is kept, nothing is known to compare it with.
    for revision, older in zip(kept[:REVISIONS_LISTED], [*kept[1:], None], strict=False):
        changed = ", ".join(change.path for change in changes(older.queue, revision.queue)) if older else ""
        rows.append(RevisionRow(revision, changed, unified_diff(older, revision)[2:] if older else []))
    return rows


@router.post(f"{ONE}/standing")
def set_standing(viewer: Viewing, entity: str, name: str, form: Form) -> Response:
    """Pause, resume, drain, or take launches again."""
    queue, reason = full_name(name, entity), str(form.get("reason", ""))[:1000]
    match form.get("action"):
        case "pause":
            viewer.yard.queues.set_paused(queue, True, reason)
        case "resume":
            viewer.yard.queues.set_paused(queue, False)
        case "drain":
            viewer.yard.queues.set_draining(queue, True, reason)
        case "undrain":
            viewer.yard.queues.set_draining(queue, False)
    return RedirectResponse(queue_path(queue), 303)


@router.post(f"{ONE}/roll-back")
def roll_back(viewer: Viewing, entity: str, name: str, form: Form) -> Response:
    """Have an earlier revision's definition hold again."""
    queue = full_name(name, entity)
    back = parse(RollBack, dict(form), f"queue {queue!r}")
    viewer.yard.queues.roll_back(queue, back.revision, back.expected)
    return RedirectResponse(queue_path(queue), 303)


@router.post(f"{ONE}/delete")
def delete(viewer: Viewing, entity: str, name: str) -> Response:
    """Delete a queue that has no runs that wait or are live."""
    viewer.yard.queues.delete(full_name(name, entity))
    return RedirectResponse("/queues", 303)
