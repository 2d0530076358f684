"""The launch form, which a queue's template variables make, with its plan beside it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from broker_config.errors import InvalidRequest, LaunchyardError
from broker_config.frozen import parse
from broker_config.jobs import GitSource, ImageSource
from broker_config.overrides import merge
from broker_config.priorities import Priority, parse_priority
from broker_config.queues import QueueRecord, full_name
from broker_config.runs import Launch, Run, RunId, RunSpec, new_run_id
from broker_config.templates import read_values
from broker_config.texts import read_object
from producer.installation import Installation
from producer.launches import LaunchFields, NewRun, Preparation, job_with
from producer.named_jobs import Jobs
from producer.progress import Silent
from producer.server.page.rendering import Form, Viewer, Viewing, page, text_of, to_yaml
from producer.server.problems import status_of
from producer.wire import RUN_ID

router = APIRouter()

ONE = "/queues/{entity}/{name}/launch"
VARIABLE = "var."
"""How the form's fields begin that are values of template variables."""


@router.get(ONE)
def show(request: Request, viewer: Viewing, entity: str, name: str, like: str = "") -> Response:
    """The form; with `like`, filled with what an earlier run was launched with."""
    record = viewer.yard.queues.get(full_name(name, entity))
    values: dict[str, Any] = {"source": "image", "priority": Priority.MEDIUM.label}
    if like:
        values = _values(viewer.yard.runs.find(like))
    return _form_page(request, viewer, record, {**values, "run_id": new_run_id()})


@router.post(f"{ONE}/plan")
def plan(request: Request, viewer: Viewing, entity: str, name: str, form: Form) -> Response:
    """What the form would launch, as a part of its page."""
    record = viewer.yard.queues.get(full_name(name, entity))
    try:
        made = viewer.yard.launches.plan(_run(viewer.yard, record, form))
    except LaunchyardError as problem:
        return page(request, viewer, "_plan.html", problem=str(problem))
    request_text = to_yaml(made.preview.request) if made.preview.request else ""
    return page(request, viewer, "_plan.html", plan=made, request_text=request_text)


@router.post(ONE)
def launch(request: Request, viewer: Viewing, entity: str, name: str, form: Form) -> Response:
    """Launch it. The form has the run's id, so that a form which is sent twice makes one run."""
    record = viewer.yard.queues.get(full_name(name, entity))
    try:
        (run_id,) = viewer.yard.launches.enqueue([_run(viewer.yard, record, form)])
    except LaunchyardError as problem:
        return _form_page(request, viewer, record, dict(form), problem)
    return RedirectResponse(f"/runs/{run_id}", 303)


def _run(yard: Installation, record: QueueRecord, form: Mapping[str, Any]) -> NewRun:
    """The run that a form describes.

    Raises:
        InvalidRequest: when a field cannot be read.
        NotFound: when it names a job that there is not.
    """
    preparation = Preparation(0, Silent(), lambda reference, _: _named_job(yard, record, reference))
    prepared = preparation.prepare(_launch(yard, record, form))
    made = prepared.new_run()
    run_id = RunId(text_of(form, "run_id") or made.id)
    if not re.fullmatch(RUN_ID, run_id):
        raise InvalidRequest(f"the form's run id {run_id!r} is none; open the form again")
    return NewRun(run_id, prepared.launch.name or made.name.replace(made.id[:6], run_id[:6]), made.launch)


def _named_job(yard: Installation, record: QueueRecord, reference: str) -> Any:
    return Jobs(yard, 0, Silent()).get(reference, record.queue.entity)


def _launch(yard: Installation, record: QueueRecord, form: Mapping[str, Any]) -> Launch | LaunchFields:
    variables = record.queue.template_variables
    texts = {name: text for name in variables if (text := text_of(form, VARIABLE + name))}
    shared: dict[str, Any] = {
        "queue": record.name,
        "template_variables": read_values(variables, texts, f"queue {record.name!r}"),
        "overrides": _object(form, "overrides"),
        "priority": parse_priority(text_of(form, "priority") or Priority.MEDIUM),
        "name": text_of(form, "name") or None,
        "project": text_of(form, "project") or None,
    }
    of_job = {
        "entry_point": _words(form, "entry_point"),
        "env": _object(form, "env"),
        "run_config": _object(form, "run_config"),
    }
    match text_of(form, "source"):
        case "same":
            return _again(yard.runs.find(text_of(form, "like")).spec, shared, of_job)
        case "job":
            changed = {name: value for name, value in of_job.items() if value}
            return cast(LaunchFields, {**shared, **changed, "job": text_of(form, "job")})
    return cast(LaunchFields, {**shared, **of_job, "source": _source(form)})


def _again(spec: RunSpec, shared: Mapping[str, Any], of_job: Mapping[str, Any]) -> Launch:
    """What an earlier run was launched with, and what the form says laid over it."""
    job = job_with(spec.job, {**of_job, "args": ()})
    overrides = merge(spec.overrides, shared["overrides"])
    given = {**shared, "overrides": overrides, "job": job, "job_version": spec.job_version, "labels": spec.labels}
    return parse(Launch, given, "launch")


def _source(form: Mapping[str, Any]) -> ImageSource | GitSource:
    if not text_of(form, {"git": "repository"}.get(text_of(form, "source"), "image")):
        raise InvalidRequest("say what runs: an image, a git repository, or a named job")
    if text_of(form, "source") == "git":
        given = {"repository": text_of(form, "repository"), "ref": text_of(form, "ref") or None}
        return parse(GitSource, given, "git")
    return parse(ImageSource, {"image": text_of(form, "image")}, "image")


def _words(form: Mapping[str, Any], name: str) -> list[str]:
    try:
        return shlex.split(text_of(form, name))
    except ValueError as problem:
        raise InvalidRequest(f"the command cannot be read: {problem}; close the quote, or write it twice") from None


def _object(form: Mapping[str, Any], name: str) -> dict[str, Any]:
    text = text_of(form, name)
    return read_object(text, name.replace("_", " ")) if text else {}


def _values(run: Run) -> dict[str, Any]:
    """What a form says that would launch the same again."""
    spec, job = run.spec, run.spec.job
    values: dict[str, Any] = {VARIABLE + name: _shown(value) for name, value in spec.template_values.items()}
    return {
        **values,
        "source": "same",
        "like": spec.id,
        "entry_point": shlex.join([*job.entry_point, *job.args]),
        "priority": run.priority.label,
        "project": spec.project,
    }


def _with_source(yard: Installation, values: Mapping[str, Any]) -> Mapping[str, Any]:
    like = text_of(values, "like")
    return {**values, "as_before": yard.runs.find(like).spec.job.source} if like else values


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _form_page(
    request: Request,
    viewer: Viewer,
    record: QueueRecord,
    values: Mapping[str, Any],
    problem: LaunchyardError | None = None,
) -> Response:
    return page(
        request,
        viewer,
        "launch.html",
        status_code=status_of(problem) if problem else 200,
        record=record,
        queue=record.queue,
        values=_with_source(viewer.yard, values),
        problem=problem,
        priorities=[*Priority],
        jobs=[version.reference for version in viewer.yard.jobs.list()],
        shown=_shown,
    )
