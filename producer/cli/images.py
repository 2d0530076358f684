"""`launchyard images`: what was built, of what and by whom, and when it was last used."""

from __future__ import annotations

from typing import Any

import click

from broker_config.images import Image
from producer.cli import output
from producer.cli.job_fields import source_text
from producer.cli.session import Session, json_option, pass_session

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
    found = session.client.store.images.all()
    if session.as_json:
        output.document({"images": [document(image) for image in found]})
        return
    output.table(
        ("KEY", "BUILT", "TOOK", "SIZE", "USED", "RUN", "SOURCE", "IMAGE"),
        [_row(image) for image in found],
        empty="No image is on record.",
    )
    if found:
        output.next_command(f"launchyard images show {short(found[0].key)}")


def _row(image: Image) -> tuple[str, ...]:
    return (
        short(image.key),
        f"{output.age(image.built_at)} ago",
        f"{image.seconds:.1f}s",
        size_text(image.size_bytes),
        f"{output.age(image.last_used)} ago",
        image.run,
        source_text(image.source),
        image.reference,
    )


@group.command()
@click.argument("image")
@json_option
@pass_session
def show(session: Session, image: str) -> None:
    """Show all about an image. IMAGE is its key, as much of it as is unique, or its reference."""
    found = session.client.store.images.find(image)
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
            ("last used", f"{output.clock(found.last_used)} ({output.age(found.last_used)} ago)"),
        ]
    )
    output.next_command(f"launchyard show {found.run}")


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
