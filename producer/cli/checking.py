"""`launchyard check`: whether the broker, the queues and the agents of an installation are as they have to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from broker_config.checkup import look_at, look_at_history
from broker_config.errors import ConfigError, LaunchyardError
from broker_config.explaining.explanation import Code, Explanation
from broker_config.looks import Look, Status
from broker_config.runs import now
from broker_config.store.vitals import SETTINGS
from producer.cli import output
from producer.cli.exits import EXIT_CODES
from producer.cli.session import Session, json_option, pass_session

LATE_SECONDS = 3600 + 600
"""How much later than they are due finished runs are in the history at the latest; see `History.patience_seconds`."""

OF_QUEUES = frozenset({Code.QUEUE_PAUSED, Code.NO_AGENT, Code.NO_AGENT_FOR_QUEUE, Code.AGENTS_AWAY})
OF_AGENTS = frozenset({Code.AGENT_SILENT, Code.AGENT_STUCK, Code.AGENT_DEAF, Code.AGENT_VERSION})
"""What of an explanation somebody should know who did not ask for it."""


@click.command()
@click.option("--fix", "fixes", is_flag=True, help="Set on the broker what is wrong there and safe to set.")
@json_option
@pass_session
@click.pass_context
def check(ctx: click.Context, session: Session, fixes: bool) -> None:
    """Look at the broker, at queues and at agents. Exits with 6 when something failed.

    What a single agent needs, with its registry and targets, is looked at by: launchyard agent check
    """
    found = []
    for look in _looks(session, fixes):
        found.append(look)
        if not session.as_json:
            click.echo(f"{look.status:7}  {look.subject}: {look.text}")
    failed = any(look.status is Status.FAILED for look in found)
    if session.as_json:
        output.document({"ok": not failed, "checks": [asdict(look) for look in found]})
    else:
        output.next_command("launchyard check --fix" if failed and not fixes else "launchyard agent check")
    if failed:
        ctx.exit(EXIT_CODES[ConfigError])


def _looks(session: Session, fixes: bool) -> Iterator[Look]:
    vitals, settings = session.store.vitals, session.settings
    looks = list(look_at(vitals.read(), settings, now()))
    if fixes and (wrong := [look.subject for look in looks if look.status is Status.FAILED]):
        yield from _mended(session, [subject for subject in wrong if subject in SETTINGS])
        looks = list(look_at(vitals.read(), settings, now()))
    yield from looks
    finished = session.store.finished
    yield look_at_history(finished.keeping(), finished.overdue(LATE_SECONDS), settings)
    for record in session.client.queues.list():
        yield from _told(f"queue {record.name}", session.client.explain_queue(record.name), OF_QUEUES)
    for info, _ in session.client.agents.list():
        yield from _told(f"agent {info.name}", session.client.explain_agent(info.name), OF_AGENTS)


def _mended(session: Session, subjects: list[str]) -> Iterator[Look]:
    for subject in subjects:
        try:
            kept = session.store.vitals.mend(subject)
        except LaunchyardError as error:
            yield Look(Status.WARNING, subject, f"could not be set: {error}")
            continue
        until = "" if kept else "; it holds until the broker restarts, as its config file could not be written"
        yield Look(Status.OK, subject, f"was set: {' '.join(SETTINGS[subject])}{until}")


def _told(subject: str, explained: Explanation, codes: frozenset[Code]) -> Iterator[Look]:
    nodes = [one for _, one in explained.walk() if one.code in codes]
    for one in nodes:
        yield Look(Status.WARNING, subject, f"{one.text} {one.next_action}".strip())
    if not nodes:
        yield Look(Status.OK, subject, explained.text)
