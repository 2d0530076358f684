"""How a command ends: the exit codes, and errors in one line."""

from __future__ import annotations

import json
from typing import Any

import click

from broker_config import errors
from broker_config.runs import Run
from broker_config.states import State
from producer.cli import documents
from producer.cli.session import Session

EXIT_CODES: dict[type[errors.LaunchyardError], int] = {
    # 2 is click's, for a command line that it cannot read.
    errors.InvalidRequest: 3,
    errors.NotFound: 4,
    errors.Conflict: 5,
    errors.StaleWrite: 5,
    errors.ConfigError: 6,
    errors.NotPermitted: 6,
    errors.NotIdentified: 6,
    errors.TemporaryError: 7,
    errors.WaitTimeout: 8,
}
"""Exit code by error class, subclasses included; any other error of ours gives 1."""

FATES = {State.SUCCEEDED: 0, State.CANCELLED: 130, State.PREEMPTED: 75}
"""Exit code of a followed run by its end. A failed run gives its job's own code, or 1 when the job never ran."""

DETACHED = 130  # as a program that is ended with Ctrl-C


def exit_code(error: errors.LaunchyardError) -> int:
    """The exit code of a command that ended with this error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


def fate(run: Run) -> int:
    """The exit code of a command that followed a run to its end."""
    return FATES.get(run.state, run.exit_code or 1)


class Commands(click.Group):
    """A group of commands whose errors end in one line on stderr and an exit code, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errors.LaunchyardError as error:
            report(error, as_json=ctx.ensure_object(Session).as_json)
            ctx.exit(exit_code(error))


def report(error: errors.LaunchyardError, *, as_json: bool) -> None:
    """Tell of an error: in one line for people, one for each thing that a check found, or as JSON for programs."""
    found = error.findings if isinstance(error, errors.InvalidConfig) else ()
    if as_json:
        document: dict[str, Any] = {"code": error.code, "message": str(error)}
        if found:
            document["findings"] = documents.findings(found)
        click.echo(json.dumps({"error": document}), err=True)
    elif found:
        for one in found:
            click.echo(f"{click.style(f'{one.severity}:', fg='red' if one.is_error else 'yellow')} {one}", err=True)
    else:
        click.echo(f"{click.style('error:', fg='red')} {error}", err=True)
