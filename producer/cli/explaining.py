"""`launchyard explain`: why something is as it is."""

from __future__ import annotations

import click

from broker_config.explaining.explanation import Explanation
from producer.cli import output
from producer.cli.session import Session, json_option, pass_session


@click.command()
@click.argument("name")
@json_option
@pass_session
def explain(session: Session, name: str) -> None:
    """Say why a run, a queue or an agent is as it is, and what helps.

    NAME is the name of a queue or an agent, or as much of a run's id as is unique. The first reason decides most.
    """
    found = session.client.explain(name)
    if session.as_json:
        output.document(found.model_dump(mode="json"))
        return
    shown = list(found.walk())
    for depth, one in shown:
        _show(one, "  " * depth)
    # What is asked about comes last: what keeps it back is worth more.
    commands = dict.fromkeys(one.command for _, one in [*shown[1:], shown[0]] if one.command)
    output.next_command(*list(commands)[:3])


def _show(one: Explanation, indent: str) -> None:
    since = click.style(f"  since {output.clock(one.since)}", dim=True) if one.since else ""
    click.echo(f"{indent}{click.style(one.code, bold=True)}: {one.text}{since}")
    for line in one.lines:
        click.echo(f"{indent}    | {line}")
    if one.next_action:
        click.echo(f"{indent}    what helps: {one.next_action}")
