"""`launchyard recover`: after the broker lost its data."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from broker_config.errors import LaunchyardError
from broker_config.settings import environment_for
from producer.cli import output
from producer.cli.programs import recovery_arguments
from producer.cli.session import Session, json_option, pass_session

_NEEDS_A_LOOK = {"unreadable", "unreachable"}


@click.command()
@click.option("--resource", "-r", "resources", multiple=True, help="A target to look at; all installed ones if absent.")
@click.option("--queue", "-q", "queues", multiple=True, help="A queue whose runs to recover; all if absent.")
@click.option("--dry-run", is_flag=True, help="Only say what would be recovered.")
@json_option
@pass_session
def recover(session: Session, /, resources: tuple[str, ...], queues: tuple[str, ...], dry_run: bool) -> None:
    """Rebuild the records of live runs from the targets, after the broker has lost its data.

    Run it on each machine whose agents have local targets (docker, local-process). It changes no job and no record
    that exists, and may be run again. Runs that waited for an agent were on the broker alone, and are lost.
    """
    arguments = recovery_arguments(resources, queues, dry_run)
    findings = []
    for finding in _findings(session, arguments):
        findings.append(finding)
        if not session.as_json:
            _show(finding)
    if session.as_json:
        output.document({"findings": findings})
    else:
        _sum_up(findings, dry_run)
    if any(finding["outcome"] in _NEEDS_A_LOOK for finding in findings if resources or finding["name"]):
        click.get_current_context().exit(1)


def _findings(session: Session, arguments: list[str]) -> Iterator[dict[str, Any]]:
    session.store.queues.list()  # an error of the connection is told here, in the usual way
    program = subprocess.Popen(
        arguments,
        env=environment_for(session.settings),
        # Out of the caller's folder: modules there could stand before our own.
        cwd=session.settings.home,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    with program:
        for line in program.stdout:
            yield json.loads(line)
    if program.returncode:
        raise LaunchyardError("the recovery did not come to its end; what it said stands above; run it again")


def _show(finding: dict[str, Any]) -> None:
    text = f": {finding['text']}" if finding["text"] else ""
    if finding["outcome"] == "unreachable":
        output.note(f"{finding['resource']} was not looked at{text}")
    elif finding["outcome"] == "unseen":
        output.note(f"{finding['resource']}: {finding['text']}")
    else:
        of_run = f"  run {finding['run']} of queue {finding['queue']}" if finding["run"] else ""
        click.echo(f"{finding['outcome']:<10}  {finding['resource']}  {finding['name']}{of_run}{text}")


def _sum_up(findings: list[dict[str, Any]], dry_run: bool) -> None:
    counts = Counter(finding["outcome"] for finding in findings)
    done = f"{counts['lost']} would be recovered" if dry_run else f"{counts['recovered']} recovered"
    click.echo(f"{done}, {counts['known']} known already, {counts['unreadable']} not readable")
    output.note("runs that waited in a queue had no object at a target; enqueue them again")
    output.next_command("launchyard recover" if counts["lost"] else "launchyard runs", "launchyard agents")
