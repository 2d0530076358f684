"""`launchyard queue delete`: of an empty queue, or after its runs have ended."""

from __future__ import annotations

import sys

import click

from broker_config.errors import InvalidRequest
from broker_config.states import State
from producer.cli import output
from producer.cli.exits import DETACHED
from producer.cli.session import Session, json_option, pass_session
from producer.draining import drain


@click.command()
@click.argument("name")
@click.option(
    "--drain", "drains", is_flag=True, help="First take no more launches, and wait until all runs have ended."
)
@click.option(
    "--cancel-waiting", is_flag=True, help="With --drain: cancel the runs that wait; live ones end by themselves."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@pass_session
def delete(session: Session, /, name: str, drains: bool, cancel_waiting: bool, yes: bool) -> None:
    """Delete a queue that has no run waiting or live."""
    if cancel_waiting and not drains:
        raise InvalidRequest("--cancel-waiting belongs to --drain")
    session.client.queues.get(name)
    if not yes and not session.as_json and sys.stdin.isatty():
        click.confirm(f"Delete queue {name!r} and its config?", abort=True, err=True)
    if drains:
        _drain(session, name, cancel_waiting)
    session.client.queues.delete(name)
    if session.as_json:
        output.document({"deleted": name})
        return
    click.echo(f"queue {name!r} is deleted; its ended runs can still be read")
    output.next_command("launchyard queue list")


def _drain(session: Session, name: str, cancel_waiting: bool) -> None:
    told = ""
    try:
        for left in drain(session.client, name, cancel_waiting=cancel_waiting):
            text = _told(session, name, left)
            if text != told and not session.as_json:
                output.note(text)
            told = text
    except KeyboardInterrupt:
        output.note(
            f"\nqueue {name!r} still takes no launches, and its runs go on. Call this again to delete it, or "
            f"'launchyard queue resume {name}' to keep it."
        )
        sys.exit(DETACHED)


def _told(session: Session, name: str, left: dict[State, int]) -> str:
    text = f"queue {name!r} takes no more launches; it has " + ", ".join(f"{n} {state}" for state, n in left.items())
    is_stuck = State.QUEUED in left and session.client.queues.get(name).paused
    return f"{text}; it is paused, so those wait until it is resumed, or use --cancel-waiting" if is_stuck else text
