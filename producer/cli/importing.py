"""`launchyard import`: take over what other systems have."""

from __future__ import annotations

from typing import Any

import click

from broker_config.errors import Conflict, InvalidConfig, InvalidRequest, NotFound
from broker_config.findings import Finding
from broker_config.queues import Queue
from broker_config.texts import read_file
from producer.cli import documents, drafts, output
from producer.cli.session import Session, json_option, pass_session
from producer.drafts import check
from producer.installation import Queues
from producer.wandb_queues import Imported, queues_in


@click.group("import")
def group() -> None:
    """Take over what other systems have."""


@group.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--replace", is_flag=True, help="Edit a queue that exists and is different.")
@json_option
@pass_session
def wandb(session: Session, files: tuple[str, ...], dry_run: bool, replace: bool) -> None:
    """Make queues from W&B Launch's: its API's answers in JSON or YAML, or `terraform show -json`.

    All files are read and all queues checked before the first is written. What cannot be carried over is told.
    """
    store = session.client.queues
    found = [imported for file in files for imported in queues_in(read_file(file, "import"))]
    _check_names([imported.queue.full_name for imported in found])
    plans = [(imported, _check(imported.queue), _action(store, imported.queue, replace)) for imported in found]
    for imported, warnings, action in plans:
        if not dry_run:
            _write(store, imported.queue, action)
        if not session.as_json:
            _tell(imported, warnings, action, dry_run)
    if session.as_json:
        output.document({"dry_run": dry_run, "queues": [_document(*plan) for plan in plans]})
    else:
        output.next_command("launchyard queue list")


def _check_names(names: list[str]) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f"queue {twice!r} is there twice; import one of them, or rename it")


def _check(queue: Queue) -> list[Finding]:
    try:
        return check(queue)
    except InvalidConfig as error:
        # Several queues are looked at, so each finding says of which it is.
        named = [one._replace(place=f"queue {queue.full_name!r}: {one.pointer or 'config'}") for one in error.findings]
        raise InvalidConfig(str(error), named) from error


def _action(store: Queues, queue: Queue, replace: bool) -> str:
    """`create`, `edit`, or nothing for a queue that is there as it is.

    Raises:
        Conflict: when it is there, different, and must not be replaced.
        NotPermitted: when it would be another author's own.
    """
    store.check_author(queue)
    try:
        present = store.get(queue.full_name).queue
    except NotFound:
        return "create"
    # What W&B does not know of stays as it is.
    if present == _over(present, queue):
        return ""
    if not replace:
        raise Conflict(
            f"queue {queue.full_name!r} is there and different; edit it with --replace, or rename one of the two"
        )
    return "edit"


def _over(present: Queue, queue: Queue) -> Queue:
    """What is there with that laid over it which W&B knows of."""
    return present.model_copy(update={name: getattr(queue, name) for name in queue.model_fields_set})


def _write(store: Queues, queue: Queue, action: str) -> None:
    if action == "create":
        store.create(queue)
    elif action == "edit":
        present = store.get(queue.full_name)
        store.edit(_over(present.queue, queue), present.revision, "imported")


def _tell(imported: Imported, warnings: list[Finding], action: str, dry_run: bool) -> None:
    words: dict[str, str] = {"create": "created", "edit": "edited", "": "is there already, unchanged"}
    done = f"would be {words[action]}" if dry_run and action else words[action]
    click.echo(f"queue {imported.queue.full_name!r} on {imported.queue.resource}: {done}")
    for clause in imported.left:
        output.note(f"  not carried over: {clause}")
    drafts.tell(warnings)


def _document(imported: Imported, warnings: list[Finding], action: str) -> dict[str, Any]:
    return {
        "name": imported.queue.full_name,
        "resource": imported.queue.resource,
        "action": action or "none",
        "not_carried_over": imported.left,
        "warnings": documents.findings(warnings),
    }
