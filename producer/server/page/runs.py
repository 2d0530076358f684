"""Runs: the list, one run with its log, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from broker_config.explaining.explanation import Explanation
from broker_config.frozen import parse
from broker_config.masks import masked
from broker_config.priorities import Priority, parse_priority
from broker_config.runs import Run, RunId
from broker_config.states import State
from broker_config.store.runs import cursor_of
from broker_config.wanted import Wanted
from producer import phases
from producer.installation import Runs
from producer.server.page import printed, sentences
from producer.server.page.rendering import Form, Viewing, page, to_yaml

router = APIRouter()

LISTED = 50
LOOKED_AT = 1000
"""Runs that one page looks at when only some are wanted."""

NEXT = 100
"""Runs of a queue that are looked at for the place of one."""

Cursor = Annotated[str, Query(pattern=r"^$|^\d{1,18}-[a-z2-9]{12}$")]
Position = Annotated[str, Query(pattern=r"^\d{1,15}-\d{1,15}$")]


@dataclass(frozen=True)
class Chosen:
    """What the form above the list says; an empty field is any."""

    queue: str = ""
    state: str = ""
    author: str = ""
    name: str = ""
    history: str = ""

    @property
    def wanted(self) -> Wanted:
        """The same as it is asked for elsewhere."""
        fields = {"queue": self.queue, "author": self.author, "name": self.name}
        return parse(Wanted, {**fields, "states": [self.state] if self.state else []}, "filters")


@router.get("/runs")
def show_list(
    *, request: Request, viewer: Viewing, chosen: Annotated[Chosen, Depends()], cursor: Cursor = ""
) -> Response:
    """The runs, newest first."""
    wanted, found, then, looked = chosen.wanted, [], "", 0
    runs = viewer.yard.runs.kept(wanted, cursor) if chosen.history else viewer.yard.runs.newest(cursor)
    for looked, run in enumerate(runs, 1):
        if wanted.has(run):
            found.append(run)
        if looked == LOOKED_AT or len(found) == LISTED:
            then = cursor_of(run)
            break
    return page(
        request,
        viewer,
        "runs.html",
        runs=found,
        queues=sorted(record.name for record in viewer.yard.queues.list()),
        wanted=asdict(chosen),
        cursor=cursor,
        then=then,
        looked=looked,
    )


@router.get("/runs/{run_id}")
def show(request: Request, viewer: Viewing, run_id: RunId) -> Response:
    """One run."""
    run = viewer.yard.runs.find(run_id)
    if run.id != run_id:
        return RedirectResponse(f"/runs/{run.id}", 303)
    events = [event for _, event in viewer.yard.runs.events(run.id)]
    ahead = _ahead(viewer.yard.runs, run)
    return page(
        request,
        viewer,
        "run.html",
        run=run,
        sentence=sentences.of(run, ahead),
        events=events,
        phases=phases.of(events),
        reasons=_reasons(viewer.yard.explanations.run(run.id), run),
        config=to_yaml(masked(run.spec.resource_config)),
        priorities=[*Priority],
    )


def _reasons(explained: Explanation, run: Run) -> list[Explanation]:
    """What the page does not say elsewhere: the log is below, and the status has the run's own words."""
    told = [one for one in explained.causes if not one.lines and (one.code != run.reason or one.next_action)]
    return [one.model_copy(update={"text": ""}) if one.text == run.text else one for one in told]


def _ahead(runs: Runs, run: Run) -> int | None:
    """How many runs of its queue are before it; None: it does not wait in line, or far behind, as its reasons tell."""
    if run.state is not State.QUEUED or run.hold:
        return None
    ids = [other.id for other in runs.waiting(run.spec.queue.full_name, NEXT)]
    return ids.index(run.id) if run.id in ids else None


@router.get("/runs/{run_id}/log")
def show_lines(viewer: Viewing, run_id: RunId, after: Position = "0-0") -> Response:
    """The next part of a run's log, as HTML; nothing when there is no more."""
    return HTMLResponse("".join(map(printed.as_html, viewer.yard.runs.log(run_id, after))))


@router.get("/runs/{run_id}/log.txt")
def download_log(viewer: Viewing, run_id: RunId) -> Response:
    """All of a run's log as a text."""
    viewer.yard.runs.get(run_id)
    return StreamingResponse(_lines(viewer.yard.runs, run_id), media_type="text/plain; charset=utf-8")


def _lines(runs: Runs, run_id: RunId) -> Iterator[str]:
    position = "0-0"
    while entries := runs.log(run_id, position):
        position = entries[-1].id
        for entry in entries:
            yield "".join(f"{line}\n" for line in entry.lines)


@router.post("/runs/{run_id}/priority")
def set_priority(viewer: Viewing, run_id: RunId, form: Form) -> Response:
    """Have a run that waits leave its queue sooner or later."""
    viewer.yard.runs.set_priority(run_id, parse_priority(str(form.get("priority", ""))))
    return RedirectResponse(f"/runs/{run_id}", 303)


@router.post("/runs/{run_id}/cancel")
def cancel(viewer: Viewing, run_id: RunId) -> Response:
    """Wish for the end of a run."""
    viewer.yard.runs.cancel(run_id)
    return RedirectResponse(f"/runs/{run_id}", 303)
