"""`launchyard images`: what was built, of what and by whom, and when it was last used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from broker_config.images import Image
from broker_config.runs import now
from broker_config.store.orphans import Removal
from producer import readable
from producer.cli import output
from producer.cli.amounts import Age, Size
from producer.cli.session import Session, json_option, pass_session
from producer.readable import source_text

KEY_SHOWN = 12
"""Characters of a key, as it is listed and may be given."""


@click.group("images", invoke_without_command=True)
@json_option
@pass_session
@click.pass_context
def group(ctx: click.Context, session: Session) -> None:
    """List what was built, the last used first: images, and environments of local-process queues."""
    if ctx.invoked_subcommand is None:
        _list(session)


def _list(session: Session) -> None:
    found = session.client.images.all()
    if session.as_json:
        output.document({"images": [document(image) for image in found]})
        return
    removals = session.client.images.removals()
    output.table(
        ("KEY", "BUILT", "TOOK", "SIZE", "USED", "RUN", "REMOVAL", "SOURCE", "IMAGE"),
        [_row(image, removals.get(image.id)) for image in found],
        empty="No image is on record.",
    )
    if found:
        output.next_command(f"launchyard images show {short(found[0].key)}")


def _row(image: Image, removal: Removal | None) -> tuple[str, ...]:
    return (
        short(image.key),
        f"{readable.age(image.built_at)} ago",
        f"{image.seconds:.1f}s",
        size_text(image.size_bytes),
        f"{readable.age(image.last_used)} ago",
        image.run,
        (removal.outcome or f"wanted by {removal.by}") if removal else "",
        source_text(image.source),
        image.reference,
    )


@group.command()
@click.argument("image")
@json_option
@pass_session
def show(session: Session, image: str) -> None:
    """Show all about an image. IMAGE is its key, as much of it as is unique, or its reference."""
    found = session.client.images.find(image)
    if session.as_json:
        output.document(document(found))
        return
    output.fields(
        [
            ("image", found.reference),
            ("key", found.key),
            ("place", found.place),
            ("digest", found.digest),
            ("size", size_text(found.size_bytes)),
            ("source", source_text(found.source)),
            ("built", f"{output.clock(found.built_at)} by agent {found.agent}, for run {found.run}"),
            ("took", f"{found.seconds:.1f} s"),
            ("steps", "\n".join(_step(step.name, step.seconds, step.is_cached) for step in found.steps)),
            ("last used", f"{output.clock(found.last_used)} ({readable.age(found.last_used)} ago)"),
        ]
    )
    output.next_command(f"launchyard show {found.run}")


@group.command()
@click.option("--older-than", type=Age(), help="Those that nobody has used for so long, such as 30d.")
@click.option("--keep-bytes", type=Size(), help="Of the others, the longest unused ones that are beyond 50GB, say.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@pass_session
def prune(session: Session, older_than: timedelta | None, keep_bytes: int | None, dry_run: bool) -> None:
    """Have agents remove images that nobody needs, from their engines, machines and registries.

    What a live run uses is kept, and what is used again meanwhile. Each image is removed by an agent that reaches it,
    within seconds; launchyard images tells what became of those that are left, such as in a registry that lets none
    be deleted.
    """
    if older_than is None and keep_bytes is None:
        raise click.UsageError("say what is too much: --older-than 30d, --keep-bytes 50GB, or both")
    images = session.client.images
    chosen = prunable(images.all(), now() - older_than if older_than is not None else None, keep_bytes)
    for image in () if dry_run else chosen:
        images.remove(image.id)
    if session.as_json:
        output.document({"chosen": [document(image) for image in chosen], "dry_run": dry_run})
        return
    output.table(
        ("KEY", "SIZE", "USED", "IMAGE"),
        [
            (short(one.key), size_text(one.size_bytes), f"{readable.age(one.last_used)} ago", one.reference)
            for one in chosen
        ],
        empty="No image is too much.",
    )
    if chosen:
        total = size_text(sum(image.size_bytes or 0 for image in chosen))
        output.note(f"images: {len(chosen)}, {total}; {'nothing was asked' if dry_run else 'agents were asked'}")
        output.next_command("launchyard images")


def prunable(images: Sequence[Image], unused_since: datetime | None, keep_bytes: int | None) -> list[Image]:
    """Which of the images, the last used of which come first, are too old or too much."""
    chosen, kept = [], 0
    for image in images:
        is_old = unused_since is not None and image.last_used < unused_since
        size = image.size_bytes or 0
        if is_old or (keep_bytes is not None and kept + size > keep_bytes):
            chosen.append(image)
        else:
            kept += size
    return chosen


def _step(name: str, seconds: float, is_cached: bool) -> str:
    return f"{'cached' if is_cached else f'{seconds:.1f} s':>8}  {name}"


def size_text(size_bytes: int | None) -> str:
    """A size for people; nothing where it is not known."""
    return "" if size_bytes is None else f"{size_bytes / 1e6:,.1f} MB"


def short(key: str) -> str:
    """The beginning of a key, without what all keys begin with."""
    return key.removeprefix("sha256:")[:KEY_SHOWN]


def document(image: Image) -> dict[str, Any]:
    """An image in JSON."""
    return {**image.model_dump(mode="json"), "digest": image.digest}
