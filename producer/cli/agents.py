"""`launchyard agents` and `launchyard agent`: who serves the queues, and serving them oneself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import click

from broker_config.queues import full_name
from broker_config.store.agents import Mode
from producer import readable
from producer.cli import documents, orphans, output
from producer.cli.programs import AgentOptions, agent_arguments, become, check_arguments
from producer.cli.session import Session, json_option, log_format_option, logging_as, pass_session

WAIT_SECONDS = 0.5


@click.command()
@json_option
@pass_session
def agents(session: Session) -> None:
    """List the agents, and whether they are alive."""
    found = session.client.agents.list()
    if session.as_json:
        output.document({"agents": [documents.agent(info, alive) for info, alive in found]})
        return
    output.table(
        ("NAME", "QUEUES", "RUNS", "STATE", "SEEN", "HOST", "PID", "VERSION", "REASON"),
        [
            (
                info.name,
                ",".join(info.queues),
                f"{info.live}/{'any' if info.max_jobs < 0 else info.max_jobs}",
                str(info.wish.mode) if alive else "stopped" if info.stopped else "silent",
                f"{readable.age(info.seen_at)} ago",
                info.host,
                str(info.pid),
                info.version,
                info.wish.reason,
            )
            for info, alive in found
        ],
        empty="No agent is there.",
    )
    if lost := {orphan.name for orphan in session.client.orphans.list()}:
        output.note(f"objects at the targets that belong to no run: {len(lost)}; see launchyard agent orphans")
    output.next_command("launchyard runs" if found else "launchyard agent -q QUEUE")


_CONFIG = click.option(
    "--config",
    "-c",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A launch-config.yaml; the one in the home folder when absent.",
)


def _check_queues(session: Session, given: AgentOptions) -> None:
    """An unknown queue is told here. Whose queue a plain name means may be said by the agent's config alone."""
    # An agent works for everybody, so other authors' private queues count as well.
    store = session.store.queues
    known = {record.queue.name for record in store.list()} if given.entity is None else set()
    for queue in given.queues:
        if queue not in known:
            store.get(full_name(queue, given.entity))


@click.group(invoke_without_command=True)
@click.option("--queue", "-q", "queues", multiple=True, help="A queue to serve; the config's when absent.")
@click.option("--entity", "-e", help="The entity whose queues it serves; the config's when absent.")
@click.option("--max-jobs", "-j", type=click.IntRange(min=-1), help="Most runs at once; -1: no limit.")
@_CONFIG
@click.option("--name", help="The agent's name on this host; two agents need two names.", show_default="agent")
@click.option(
    "--log-file",
    "-l",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    callback=lambda _ctx, _parameter, path: None if path == Path("-") else path,
    help="Where its log goes; '-' and no file: to the terminal.",
)
@click.option("--verbose", "-v", "verbosity", count=True, help="Log more; twice: everything.")
@log_format_option
@json_option
@pass_session
@click.pass_context
def agent(ctx: click.Context, session: Session, /, log_format: str | None, **options: object) -> None:
    """Serve queues: take runs, build, submit and watch them, until Ctrl-C.

    Running jobs go on when the agent is stopped; started again under the same name it takes them up.
    """
    if ctx.invoked_subcommand:
        return
    given = AgentOptions(**options)  # type: ignore[arg-type]  # click gives them as declared above
    _check_queues(session, given)
    arguments = agent_arguments(given)
    if session.as_json:
        output.line({"type": "agent", "pid": os.getpid(), "queues": list(given.queues)})
    else:
        output.note(f"agent for {', '.join(given.queues) or 'the queues of its config'}; Ctrl-C stops it, not its jobs")
    session.client.close()
    become(logging_as(session.settings, log_format), arguments)


agent.add_command(orphans.orphans)


@agent.command()
@click.option("--queue", "-q", "queues", multiple=True, help="A queue to serve; the config's when absent.")
@click.option("--entity", "-e", help="The entity whose queues it serves; the config's when absent.")
@_CONFIG
@json_option
@pass_session
def check(session: Session, queues: Sequence[str], entity: str | None, config: Path | None) -> None:
    """Look at an agent's config, and at everything that it names, from here and with the real credentials.

    One line each: the broker, every queue, the builder, the registry and the targets. Exits with 6 when one failed.
    """
    options = AgentOptions(queues=queues, entity=entity, config=config)
    become(session.settings, check_arguments(options, as_json=session.as_json))


@agent.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; everybody sees it.")
@json_option
@pass_session
def pause(session: Session, name: str, reason: str) -> None:
    """Have an agent take nothing new; what runs is followed."""
    _wish(session, name, Mode.PAUSED, reason)
    output.next_command(f"launchyard agent resume {name}")


@agent.command()
@click.argument("name")
@json_option
@pass_session
def resume(session: Session, name: str) -> None:
    """Have an agent take runs again."""
    _wish(session, name, Mode.SERVING)
    output.next_command("launchyard agents")


@agent.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; everybody sees it.")
@click.option("--wait", is_flag=True, help="Return when the agent has stopped.")
@json_option
@pass_session
def drain(session: Session, name: str, reason: str, wait: bool) -> None:
    """Have an agent take nothing new, and stop when its last run has ended."""
    full_name = _wish(session, name, Mode.DRAINING, reason)
    while wait and any(info.name == full_name and alive for info, alive in session.client.agents.list()):
        time.sleep(WAIT_SECONDS)
    output.next_command("launchyard agents")


def _wish(session: Session, name: str, mode: Mode, reason: str = "") -> str:
    info, is_alive = session.client.agents.wish(name, mode, reason)
    if session.as_json:
        output.document({"agent": info.name, "mode": mode, "reason": reason})
    else:
        since = (
            "" if is_alive else f"; it is silent for {readable.age(info.seen_at)}, and hears of it at its next start"
        )
        click.echo(f"agent {info.name} is to be {mode}; it has {info.live} runs{since}")
    return info.name
