"""Following a run: its log on stdout, what happens to it on stderr, and its fate as exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from broker_config.runs import Event
from broker_config.states import State
from producer.cli import documents, output
from producer.cli.build_steps import Step, step_of
from producer.cli.exits import DETACHED, fate
from producer.cli.session import Session
from producer.handle import LogLine, RunHandle

_BEFORE_RUNNING = {State.QUEUED, State.CLAIMED, State.BUILDING, State.SUBMITTING, State.STARTING}


def follow(session: Session, handle: RunHandle) -> int:
    """Show a run until it has ended. Returns the exit code that tells its fate."""
    with detachable(session, handle):
        for _ in shown(session, handle):
            pass
    if session.as_json:
        output.line({"type": "run", **documents.run(handle.run)})
    else:
        output.next_command(f"launchyard show {handle.id}")
    return fate(handle.run)


def shown(session: Session, handle: RunHandle) -> Iterator[Event | LogLine]:
    """Lines and events until the run has ended, each after it was shown."""
    with Progress(visible=not session.as_json and sys.stderr.isatty()) as progress:
        for item in handle.follow():
            progress.hide()
            show(session, item)
            yield item
            progress.meet(item)


class Progress:
    """A moving line on a terminal's stderr that says what is waited for, and since when, while nothing is printed.

    In a build whose builder counts its steps, it shows how many there are, and which one it is at.
    """

    def __init__(self, *, visible: bool) -> None:
        self._visible = visible
        self._bar: Bar | None = None
        self._state: State | None = None
        self._step: Step | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def meet(self, item: Event | LogLine) -> None:
        """Show what is waited for after an item was printed."""
        if isinstance(item, Event):
            self._state, self._step = (item.new if item.new in _BEFORE_RUNNING else None), None
        elif item.stream == "build":
            self._step = step_of(item.text) or self._step
        if self._visible and self._state:
            self._show(self._state, self._step)

    def _show(self, state: State, step: Step | None) -> None:
        bar = (BarColumn(bar_width=20), TextColumn("step {task.completed} of {task.total}")) if step else ()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), *bar, TimeElapsedColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task(state, completed=step.number if step else 0, total=step.total if step else None)
        self._bar.start()

    def hide(self) -> None:
        """Take the line away, so that something can be printed."""
        if self._bar:
            self._bar.stop()
            self._bar = None


@contextmanager
def detachable(session: Session, handle: RunHandle) -> Iterator[None]:
    """Ctrl-C in this block leaves the run alone, and says how to get back to it."""
    try:
        yield
    except KeyboardInterrupt:
        if not session.as_json:
            click.echo(err=True)
            output.note(f"Detached from run {handle.id}; it goes on.")
            output.next_command(f"launchyard logs -f {handle.id}", f"launchyard cancel {handle.id}")
        sys.exit(DETACHED)


def show(session: Session, item: Event | LogLine) -> None:
    """One line or event."""
    if session.as_json:
        output.line(as_document(item))
    elif isinstance(item, LogLine):
        # A build's lines are told apart from the job's own, which alone are the answer and go to stdout.
        is_job = item.stream == "job"
        click.echo(item.text if is_job else click.style(f"{item.stream} | {item.text}", dim=True), err=not is_job)
    else:
        text = f" {item.text}" if item.text else ""
        click.echo(
            f"{click.style(item.at.astimezone().strftime('%H:%M:%S'), dim=True)} {output.styled(item.new)}{text}",
            err=True,
        )


def as_document(item: Event | LogLine) -> dict[str, object]:
    """One line of `--json` while following."""
    if isinstance(item, LogLine):
        return {"type": "log", "stream": item.stream, "line": item.text}
    return {"type": "event", **documents.event(item)}
