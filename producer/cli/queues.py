"""`launchyard queue`: create, list, show, edit, delete, pause and resume queues."""

from __future__ import annotations

import sys
from typing import Any

import click

from broker_config.errors import InvalidRequest
from broker_config.findings import Finding
from broker_config.overrides import merge
from broker_config.queues import LIMITS, Queue, QueueRecord, parse_queue
from broker_config.retries import RetryPolicy
from broker_config.states import State
from broker_config.templates import TemplateVariable
from broker_config.timeouts import Timeouts
from producer import readable
from producer.cli import deleting, documents, drafts, output, pairs, rehearsing, revisions
from producer.cli.queue_options import QueueOptions, queue_options
from producer.cli.session import Session, json_option, pass_session
from producer.drafts import check


@click.group("queue")
def group() -> None:
    """Queues: where jobs wait, and the resource on which they run."""


for _command in (revisions.history, revisions.diff, revisions.rollback, revisions.rename, deleting.delete):
    group.add_command(_command)


@group.command()
@click.argument("name")
@click.option("--resource", "-r", required=True, help="The target resource, for instance docker or local-process.")
@queue_options
@json_option
@pass_session
def create(session: Session, /, name: str, **options: Any) -> None:
    """Create a queue."""
    given = QueueOptions(**options)
    queue = parse_queue({"name": name, **given.given})
    if given.editor:
        queue, warnings = drafts.edited(name, _fields(queue)) or (queue, check(queue))
    else:
        warnings = check(queue, given.document)
    warnings += rehearsing.findings(queue, session.settings, given.rehearse)
    record = session.client.queues.create(queue)
    if session.as_json:
        output.document({**documents.queue(record), "warnings": documents.findings(warnings)})
        return
    drafts.tell(warnings)
    name = record.name
    click.echo(f"queue {name!r} is there, on resource {queue.resource}")
    output.next_command(f"launchyard agent -q {name}", f"launchyard launch -q {name} -f -- python train.py")


@group.command("list")
@json_option
@pass_session
def list_queues(session: Session) -> None:
    """List all queues."""
    store = session.client.queues
    found = [(record, store.counts(record.name)) for record in store.list()]
    if session.as_json:
        output.document({"queues": [documents.queue(record, counts) for record, counts in found]})
        return
    output.table(
        ("NAME", "RESOURCE", "PRIORITIES", "WAITING", "LIVE", "PAUSED"),
        [_row(record, counts) for record, counts in found],
        empty="There is no queue yet.",
    )
    output.next_command(
        f"launchyard queue show {found[0][0].name}"
        if found
        else "launchyard queue create my-queue --resource local-process"
    )


def _row(record: QueueRecord, counts: dict[State, int]) -> tuple[str, ...]:
    queue = record.queue
    return (
        queue.full_name,
        queue.resource,
        "on" if queue.prioritization else "off",
        str(counts[State.QUEUED]),
        str(sum(count for state, count in counts.items() if state.is_live)),
        _paused(record),
    )


def _limits(queue: Queue) -> str:
    """The limits that it has, one a line."""
    given = {name: getattr(queue, name) for name in LIMITS if getattr(queue, name) is not None}
    return pairs.to_yaml(given) if given else ""


def _given(limits: RetryPolicy | Timeouts) -> str:
    """What of them is not nothing, one a line."""
    return pairs.to_yaml({name: value for name, value in limits.model_dump(mode="json").items() if value})


def _about(variable: TemplateVariable) -> str:
    words = variable.title or variable.description
    return f"{variable.summary}; {words}" if words else variable.summary


def _revision(record: QueueRecord) -> str:
    author = f" by {record.updated_by}" if record.updated_by else ""
    return f"{record.revision}{author}, {readable.age(record.updated_at)} ago"


def _paused(record: QueueRecord) -> str:
    if record.draining and not record.paused:
        return "no: takes no launches, to be deleted"
    if not record.paused:
        return ""
    by = f" by {record.paused_by}" if record.paused_by else ""
    why = f": {record.pause_reason}" if record.pause_reason else ""
    return f"yes{by}{why}"


@group.command()
@click.argument("name")
@json_option
@pass_session
def show(session: Session, /, name: str) -> None:
    """Show a queue with its config."""
    store = session.client.queues
    record, counts = store.get(name), store.counts(name)
    if session.as_json:
        output.document(documents.queue(record, counts))
        return
    queue = record.queue
    output.fields(
        [
            ("name", queue.full_name),
            ("entity", f"{queue.entity}, who alone sees the queue" if queue.private else queue.entity),
            ("resource", queue.resource),
            ("priorities", "on" if queue.prioritization else "off: one FIFO"),
            ("pins images", f"at {queue.pin_images}" if queue.pin_images else ""),
            ("description", queue.description),
            ("links", "\n".join(f"{label}: {url}" for label, url in queue.external_links.items())),
            ("paused", _paused(record)),
            ("runs", ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none yet"),
            ("revision", _revision(record)),
            ("limits", _limits(queue)),
            ("retries", _given(queue.retries)),
            ("timeouts", _given(queue.timeouts)),
            ("variables", "\n".join(f"{name}: {_about(one)}" for name, one in queue.template_variables.items())),
            ("overridable", queue.overridable if isinstance(queue.overridable, str) else "\n".join(queue.overridable)),
            ("config", pairs.to_yaml(queue.config) if queue.config else "(empty)"),
        ]
    )
    output.next_command(f"launchyard runs -q {name}", f"launchyard queue edit {name}")


@group.command()
@click.argument("name")
@click.option("--resource", "-r", help="Another target resource.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY.PATH=VALUE", help="Change one value of the config; null removes it."
)
@click.option("--if-revision", type=int, metavar="N", help="Only if the queue is at revision N now.")
@queue_options
@json_option
@pass_session
def edit(session: Session, /, name: str, if_revision: int | None, **options: Any) -> None:
    """Edit a queue: by options, or in your editor when none is given.

    Runs that are queued already keep the config that they were launched with. An edit that somebody else has
    overtaken meanwhile is refused.
    """
    store = session.client.queues
    found = store.get(name)
    given = QueueOptions(**options)
    changed, warnings = _changed(found.queue, given, session)
    if changed.full_name != found.name:
        raise InvalidRequest(
            f"queue {found.name!r} stays with its entity, as it keeps its name; see 'launchyard queue rename "
            f"{found.name} {changed.full_name}'"
        )
    record = found
    if given.rehearse or rehearsing.sends_otherwise(found.queue, changed):
        warnings += rehearsing.findings(changed, session.settings, given.rehearse)
    if changed != found.queue:
        # What was decided on a revision is written over no other one.
        record = store.edit(changed, found.revision if if_revision is None else if_revision)
    if session.as_json:
        output.document({**documents.queue(record), "warnings": documents.findings(warnings)})
        return
    drafts.tell(warnings)
    if given.rehearse and not warnings:
        output.note(f"{changed.resource} has nothing against such jobs.")
    if changed == found.queue:
        output.note("Nothing was changed.")
    click.echo(f"queue {record.name!r} is at revision {record.revision}")
    output.next_command(f"launchyard queue show {name}")


def _by_options(queue: Queue, options: QueueOptions) -> Queue:
    fields = {**queue.model_dump(), **options.given}
    fields["config"] = merge(fields["config"], pairs.settings(options.changes, "--set"))
    return parse_queue(fields)


def _changed(queue: Queue, given: QueueOptions, session: Session) -> tuple[Queue, list[Finding]]:
    """The queue as the options or the editor have it, and the warnings about it."""
    has_options = bool(given.given or given.changes or given.rehearse)
    changed = _by_options(queue, given) if has_options else queue
    if has_options and not given.editor:
        # What --set changed is not in the document any more.
        return changed, check(changed, None if given.changes else given.document)
    if not given.editor and (session.as_json or not sys.stdin.isatty()):
        raise InvalidRequest("say what to change with --set, --config or another option, or call this in a terminal")
    return drafts.edited(queue.full_name, _fields(changed)) or (changed, check(changed))


def _fields(queue: Queue) -> dict[str, Any]:
    """A queue as plain data, without the keywords of its variables that say nothing."""
    fields = queue.model_dump(mode="json")
    for name, variable in queue.template_variables.items():
        fields["template_variables"][name] = variable.model_dump(mode="json", exclude_defaults=True)
    return fields


@group.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; shown to everybody who asks.")
@json_option
@pass_session
def pause(session: Session, name: str, reason: str) -> None:
    """Let agents take no more runs of a queue; jobs can be launched, and what runs goes on."""
    record = session.client.queues.set_paused(name, True, reason)
    if session.as_json:
        output.document(documents.queue(record))
        return
    click.echo(f"queue {record.name!r} is paused")
    output.next_command(f"launchyard queue resume {name}")


@group.command()
@click.argument("name")
@json_option
@pass_session
def resume(session: Session, name: str) -> None:
    """Let agents take runs of a paused queue again, and call off a deletion with --drain."""
    session.client.queues.set_draining(name, False)
    record = session.client.queues.set_paused(name, False)
    if session.as_json:
        output.document(documents.queue(record))
        return
    click.echo(f"queue {record.name!r} is open")
    output.next_command(f"launchyard runs -q {name}")
