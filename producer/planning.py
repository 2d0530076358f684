"""Plans from the caller's side: made with the program that knows the targets, written to a file, and launched."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from broker_config.errors import Conflict, InvalidRequest
from broker_config.findings import Severity
from broker_config.plans import Inquiry, Note, Plan, Preview, spec_digest
from broker_config.runs import RunSpec
from broker_config.settings import Settings
from producer.asking import ask
from producer.launches import NewRun
from producer.pinning import Pins
from producer.terms import Terms


def make(run: NewRun, terms: Terms, settings: Settings, earlier: RunSpec | None) -> Plan:
    """The plan of a launch that is checked. What its queue has against it is among the notes.

    Raises:
        InvalidRequest: when a template variable has no value, or a wrong one.
        LaunchyardError: when the earlier run cannot be compared with.
    """
    launch = run.launch
    spec = terms.spec(run, settings.author, Pins())
    preview = _ask(Inquiry(spec=spec, earlier=earlier), settings)
    try:
        terms.check([launch])
    except InvalidRequest as error:
        refusal = Note(severity=Severity.ERROR, text=str(error))
        preview = preview.model_copy(update={"notes": (refusal, *preview.notes)})
    return Plan(
        run_id=spec.id,
        name=spec.name,
        author=spec.author,
        launch=launch,
        queue_revision=spec.queue_revision,
        spec_digest=spec_digest(spec),
        preview=preview,
    )


def _ask(inquiry: Inquiry, settings: Settings) -> Preview:
    return Preview.model_validate_json(ask("workers.plan", inquiry, settings))


def spec_of(plan: Plan, terms: Terms) -> RunSpec:
    """What an agent will carry out when a plan is launched.

    Raises:
        InvalidRequest: when the launch that it shows cannot work, or its queue does not take it.
        Conflict: when it would be another launch than the one that was seen.
    """
    if not plan.preview.is_possible:
        raise InvalidRequest("the plan has errors, so it cannot be launched; correct them, and plan again")
    queue = terms.record.name
    if plan.queue_revision != terms.record.revision:
        raise Conflict(
            f"queue {queue!r} was edited since the plan was made: its revision was {plan.queue_revision}, and is now "
            f"{terms.record.revision}; plan again, or see what changed with: launchyard queue diff {queue} "
            f"{plan.queue_revision}"
        )
    terms.check([plan.launch])
    spec = terms.spec(NewRun(plan.run_id, plan.name, plan.launch), plan.author, Pins())
    if spec_digest(spec) != plan.spec_digest:
        raise Conflict(f"the plan of run {plan.run_id} was changed after it was made; plan again")
    return spec.model_copy(update={"planned": plan.preview.digest})


def write(plan: Plan, path: Path) -> None:
    """Write a plan to a file for its owner's eyes: the job's variables stand in it as they are.

    Raises:
        InvalidRequest: when the file cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(plan.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise InvalidRequest(f"the plan cannot be written: {error}") from error


def read(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        InvalidRequest: when there is no such file, or it holds no plan of this version.
    """
    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"the plan cannot be read: {error}") from error
    except ValidationError as error:
        raise InvalidRequest(
            f"{str(path)!r} is no plan of this version; make one with: launchyard plan ... --out {path}"
        ) from error
