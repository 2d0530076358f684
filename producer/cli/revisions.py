"""`launchyard queue history|diff|rollback|rename`: what a queue was, and is."""

from __future__ import annotations

import click

from broker_config.errors import InvalidRequest, NotFound
from broker_config.revisions import QueueRevision, changes, unified_diff
from producer import readable
from producer.cli import documents, output
from producer.cli.session import Session, json_option, pass_session


@click.command()
@click.argument("name")
@json_option
@pass_session
def history(session: Session, name: str) -> None:
    """List the revisions of a queue, newest first."""
    revisions = session.client.queues.history(name)
    if session.as_json:
        output.document({"name": name, "revisions": [documents.revision(revision) for revision in revisions]})
        return
    # Each beside the one before it; of the oldest that is kept, nothing is known to compare it with.
    olders = [*revisions[1:], None]
    output.table(
        ("REVISION", "AGE", "AUTHOR", "NOTE", "CHANGED"),
        [_row(revision, older) for revision, older in zip(revisions, olders, strict=True)],
        empty="No revision is kept.",
    )
    output.next_command(f"launchyard queue diff {name}", f"launchyard queue rollback {name} REVISION")


def _row(revision: QueueRevision, older: QueueRevision | None) -> tuple[str, ...]:
    changed = ", ".join(change.path for change in changes(older.queue, revision.queue)) if older else ""
    return (str(revision.revision), readable.age(revision.at), revision.author, revision.note, changed)


@click.command()
@click.argument("name")
@click.argument("old", type=int, required=False, metavar="[OLD]")
@click.argument("new", type=int, required=False, metavar="[NEW]")
@json_option
@pass_session
def diff(session: Session, name: str, old: int | None, new: int | None) -> None:
    """Show what is different between two revisions of a queue.

    Without NEW: between OLD and the newest one. Without both: what the newest edit changed.
    """
    before, after = _two(session, name, old, new)
    if session.as_json:
        changed = [documents.change(change) for change in changes(before.queue, after.queue)]
        output.document({"name": name, "old": before.revision, "new": after.revision, "changes": changed})
        return
    for line in unified_diff(before, after):
        click.echo(line)
    if before.queue == after.queue:
        output.note(f"Revisions {before.revision} and {after.revision} say the same.")


def _two(session: Session, name: str, old: int | None, new: int | None) -> tuple[QueueRevision, QueueRevision]:
    queues = session.client.queues
    if old is not None and new is not None:
        return queues.revision(name, old), queues.revision(name, new)
    kept = queues.history(name)
    if old is not None:
        return queues.revision(name, old), kept[0]
    if len(kept) < 2:
        raise NotFound(f"queue {name!r} was not edited yet; it is at revision {kept[0].revision}")
    return kept[1], kept[0]


@click.command()
@click.argument("name")
@click.argument("revision", type=int)
@click.option("--if-revision", type=int, metavar="N", help="Only if the queue is at revision N now.")
@json_option
@pass_session
def rollback(session: Session, name: str, revision: int, if_revision: int | None) -> None:
    """Make a queue what it was at REVISION; that is a new revision."""
    record = session.client.queues.roll_back(name, revision, if_revision)
    if session.as_json:
        output.document(documents.queue(record))
        return
    click.echo(f"queue {name!r} is at revision {record.revision}, which says what revision {revision} said")
    output.next_command(f"launchyard queue diff {name}", f"launchyard queue history {name}")


@click.command()
@click.argument("name")
@click.argument("new")
@json_option
@pass_session
def rename(session: Session, name: str, new: str) -> None:
    """Say why a queue keeps its name, and what to do in place of a rename."""
    resource = session.client.queues.get(name).queue.resource
    raise InvalidRequest(
        f"queue {name!r} keeps its name: its orders, its runs and its agents go by it. Make the new one with "
        f"'launchyard queue create {new} --resource {resource}' and the config that 'launchyard queue show {name}' "
        f"gives, have agents serve both, and end the old one with 'launchyard queue delete {name} --drain'"
    )
