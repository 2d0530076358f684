"""How answers look: JSON for programs, colours and tables for a terminal, aligned plain text for everything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker_config.states import State

STATE_COLOURS = {
    **dict.fromkeys((State.QUEUED, State.CLAIMED), "cyan"),
    **dict.fromkeys((State.BUILDING, State.SUBMITTING, State.STARTING), "blue"),
    State.RUNNING: "bright_blue",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    **dict.fromkeys((State.CANCELLED, State.PREEMPTED), "yellow"),
}


def document(value: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def line(value: Mapping[str, Any]) -> None:
    """One JSON document on one line of stdout, out at once."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table; where there is no row, the sentence `empty` on stderr instead."""
    if not rows:
        click.echo(empty, err=True)
    elif sys.stdout.isatty():
        _pretty(headers, rows)
    else:
        _plain(headers, rows)


def _pretty(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    pretty = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    # Ids must be there whole, to be copied; sentences are in the last column, and may take several lines.
    pretty.add_column(headers[0], no_wrap=True, min_width=max(len(row[0]) for row in rows))
    for header in headers[1:-1]:
        pretty.add_column(header, no_wrap=True, overflow="ellipsis")
    pretty.add_column(headers[-1], overflow="fold")
    for row in rows:
        pretty.add_row(*(Text(cell, style=_colour(cell)) for cell in row))
    Console().print(pretty)


def _colour(cell: str) -> str:
    # rich has the terminal's colours under the same names as click.
    return next((colour for state, colour in STATE_COLOURS.items() if cell == state), "")


def _plain(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
    for row in (headers, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def fields(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values below one another; empty values are left out. A value of several lines is indented."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *others = value.splitlines() or [""]
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {styled(first)}")
        for other in others:
            click.echo(f"{' ' * width}  {other}")


def styled(text: str) -> str:
    """The text in its state's colour, if it is the name of a state."""
    return click.style(text, fg=_colour(text)) if _colour(text) else text


def note(text: str) -> None:
    """A sentence beside the answer, on stderr."""
    click.secho(text, dim=True, err=True)


def next_command(*commands: str) -> None:
    """The commands that are useful now, on stderr."""
    for command in commands:
        click.echo(f"{click.style('next:', dim=True)} {command}", err=True)


def clock(time: datetime | None) -> str:
    """Date and time on this machine's clock."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""
