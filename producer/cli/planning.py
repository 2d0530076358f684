"""`launchyard plan`: what a launch would send, before it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from broker_config.errors import InvalidRequest
from broker_config.plans import Plan, Preview
from broker_config.pointers import children, to_pointer
from producer import planning
from producer.cli import output
from producer.cli.exits import EXIT_CODES
from producer.cli.launching import launch_fields, launch_options
from producer.cli.session import Session, json_option, pass_session

WIDTH = 100
_ORIGIN_COLUMN = 60
_SHORTEST = 24  # characters of a value that are shown whatever stands beside it


@click.command(context_settings={"allow_interspersed_args": False})
@launch_options
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan to a file, for: launchyard launch --plan FILE.",
)
@click.option("--diff", metavar="RUN", help="An earlier run to compare with.")
@json_option
@pass_session
@click.pass_context
def plan(ctx: click.Context, session: Session, /, out: Path | None, diff: str | None, **options: Any) -> None:
    """Show what a launch would send to its target, and launch nothing.

    The options are those of launch. Each value is shown with who decides it: the queue, a template variable, an
    override, a macro, the job, its image, the run itself, or the target by default.
    """
    made = session.client.plan(**launch_fields(session, options), diff=diff)
    if session.as_json:
        output.document(_document(made))
    else:
        _show(made)
    if not made.preview.is_possible:
        ctx.exit(EXIT_CODES[InvalidRequest])
    if out:
        planning.write(made, out)
    if not session.as_json:
        output.next_command(f"launchyard launch --plan {out}" if out else "launchyard plan ... --out FILE")


def _document(made: Plan) -> dict[str, Any]:
    """The plan without the launch itself, whose variables may hold secrets."""
    document = made.model_dump(mode="json", exclude={"launch", "preview"})
    return {"queue": made.launch.full_queue, **document, **made.preview.model_dump(mode="json")}


def _show(made: Plan) -> None:
    preview = made.preview
    output.fields(
        [
            ("run", f"{made.run_id} ({made.name})"),
            ("queue", f"{made.launch.full_queue}, revision {made.queue_revision}"),
            ("build", preview.build),
            ("digest", preview.digest),
            ("environment", "\n".join(f"{name}={value}" for name, value in sorted(preview.environment.items()))),
        ]
    )
    if preview.request is not None:
        click.echo()
        for text in request_lines(preview.request, preview.origins):
            click.echo(text)
    if preview.changes is not None:
        click.echo()
        _show_changes(preview)
    for note in preview.notes:
        output.note(str(note))


def _show_changes(preview: Preview) -> None:
    if not preview.changes:
        click.echo("The earlier run was sent the same.")
    for change in preview.changes or ():
        click.echo(f"{change.pointer}")
        click.secho(f"  - {_scalar(change.old)}" if change.old is not None else "  - (absent)", fg="red")
        click.secho(f"  + {_scalar(change.new)}" if change.new is not None else "  + (absent)", fg="green")


def request_lines(request: Mapping[str, Any], origins: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The request as YAML, with who decides each value as a comment; long values are cut."""
    for text, path in _lines(request, ()):
        if path is None:
            yield text
            continue
        decided_by = ", ".join(origins.get(to_pointer(path), ()))
        comment = f"  # {decided_by}" if decided_by else ""
        room = max(WIDTH - len(comment), _SHORTEST)
        shown = text if len(text) <= room else text[: room - 1] + "…"
        yield (shown.ljust(min(_ORIGIN_COLUMN, room)) + comment).rstrip()


def _lines(value: Any, path: tuple[str, ...], indent: str = "") -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Lines of YAML with the place of the leaf in them; None where a line has none."""
    is_list = isinstance(value, list | tuple)
    for name, item in children(value):
        head = f"{indent}-" if is_list else f"{indent}{_scalar(name)}:"
        if not any(children(item)):
            yield f"{head} {_scalar(item)}", (*path, name)
        elif is_list:
            # The first line inside stands behind the dash.
            (first, place), *others = _lines(item, (*path, name), indent + "  ")
            yield f"{head} {first.lstrip()}", place
            yield from others
        else:
            yield head, None
            yield from _lines(item, (*path, name), indent + "  ")


def _scalar(value: Any) -> str:
    """A leaf on one line."""
    if not isinstance(value, str) or "\n" in value:
        return json.dumps(value, ensure_ascii=False)
    return yaml.safe_dump(value, allow_unicode=True, width=float("inf")).removesuffix("\n").removesuffix("\n...")
