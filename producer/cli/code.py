"""`launchyard code`: the code archives that are stored, and dropping those that nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence

import click

from broker_config.runs import now
from broker_config.store.archives import ArchiveRecord
from producer import readable
from producer.cli import output
from producer.cli.session import Session, json_option, pass_session


@click.group("code")
def group() -> None:
    """See and drop the packed code of launches."""


@group.command("list")
@json_option
@pass_session
def list_(session: Session) -> None:
    """List the code archives that are stored, and until when."""
    records = session.client.code.list()
    if session.as_json:
        output.document({"archives": [record.model_dump(mode="json") for record in records]})
        return
    _table(records, "No code archive is stored.")
    if records:
        click.echo(f"{_total(records)}", err=True)


@group.command()
@click.option("--finished", is_flag=True, help="Also what only finished runs had; those cannot be launched again then.")
@click.option("--dry-run", is_flag=True, help="Only say what would be dropped.")
@json_option
@pass_session
def prune(session: Session, finished: bool, dry_run: bool) -> None:
    """Drop the code archives that nothing needs any more, without waiting for the agents to do it.

    What a waiting or live run or a named job needs is never dropped, nor what was stored or launched a day ago or less
    unless --finished is given. A launch that is being made just now stores its code again.
    """
    code = session.client.code
    dropped = code.unneeded(also_finished=finished) if dry_run else code.prune(also_finished=finished)
    if session.as_json:
        output.document({"dropped": [record.model_dump(mode="json") for record in dropped], "dry_run": dry_run})
        return
    _table(dropped, "Every code archive is needed still.")
    if dropped:
        click.echo(f"{_total(dropped)}; {'nothing was' if dry_run else 'all were'} dropped", err=True)
    if dropped and dry_run:
        output.next_command(f"launchyard code prune{' --finished' if finished else ''}")


def _table(records: Sequence[ArchiveRecord], empty: str) -> None:
    output.table(("DIGEST", "SIZE", "PLACE", "STORED", "KEPT"), [_row(record) for record in records], empty=empty)


def _row(record: ArchiveRecord) -> tuple[str, ...]:
    stored = f"{readable.age(record.stored_at)} ago"
    return (record.digest[:19], readable.size(record.size_bytes), ", ".join(record.places), stored, _kept(record))


def _kept(record: ArchiveRecord) -> str:
    if record.holders:
        return f"for {record.holders} {'run or job' if record.holders == 1 else 'runs and jobs'}"
    left = readable.age(now(), record.kept_until)
    return f"{left} more" if record.kept_until > now() else "no longer"


def _total(records: Sequence[ArchiveRecord]) -> str:
    return f"archives: {len(records)}, {readable.size(sum(record.size_bytes for record in records))}"
