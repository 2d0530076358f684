"""`launchyard up`: everything that one machine needs, in the foreground."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from broker_config.errors import InvalidRequest, LaunchyardError
from producer.cli import output, page
from producer.cli.programs import DEFAULT_AGENT_NAME
from producer.cli.session import Session, json_option, pass_session
from producer.cli.yard import Show, Yard

_COLOURS = {"broker": "magenta", "agent": "cyan", "flower": "green", "server": "yellow", "queue": "blue", "run": "blue"}


@click.command()
@click.option("--queue", "-q", "queues", multiple=True, help="A queue to serve; all when absent.")
@click.option("--max-jobs", type=click.IntRange(min=-1), help="Most runs at once; -1: no limit.")
@click.option(
    "--flower-port", type=click.IntRange(1, 65535), help="Port of Flower's page; the first free one from 5555."
)
@click.option("--no-flower", is_flag=True, help="Do without Flower.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the page; the first free one from 8400.")
@click.option("--no-server", is_flag=True, help="Do without the page and the HTTP API.")
@json_option
@pass_session
def up(session: Session, /, queues: Sequence[str], max_jobs: int | None, **options: Any) -> None:
    """Run the embedded broker, one agent, the server with its page, and Flower until Ctrl-C.

    What this command started is stopped with it; running jobs go on, and the next agent takes them up.
    """
    stop = stop_on_signals()
    with Yard(session.settings, shower(session), shower(session)) as yard:
        yard.start_broker()
        agent = yard.start_agent(DEFAULT_AGENT_NAME, _queues(session, queues), max_jobs=max_jobs)
        _start_pages(session, yard, _Pages(**options))
        if not session.as_json:
            output.next_command("launchyard launch -q QUEUE -f -- python train.py", "launchyard runs", "Ctrl-C to stop")
        ended = yard.wait_for_end(stop)
    if ended:
        click.echo(f"error: the agent ended with code {agent.exit_code}; see its last lines above", err=True)
        sys.exit(agent.exit_code or 1)


@dataclass(frozen=True)
class _Pages:
    """What a command line says of Flower and of the server."""

    flower_port: int | None
    no_flower: bool
    port: int | None
    no_server: bool


def _start_pages(session: Session, yard: Yard, wanted: _Pages) -> None:
    flower = None if wanted.no_flower else yard.start_flower(wanted.flower_port)
    url = None if wanted.no_server else yard.start_server(wanted.port, flower.url if flower else "")
    if url is None:
        return
    tell = shower(session)
    try:
        link = page.sign_in_link(session.store, url, session.settings.author)
        tell("server", f"{link}  works {page.lasts()}")
    except LaunchyardError as error:
        tell("server", f"{url}  sign in with an API key; there is no link for you: {error}")


def _queues(session: Session, named: Sequence[str]) -> list[str]:
    store = session.client.queues
    found = [store.get(name).name for name in named] or [record.name for record in store.list()]
    if not found:
        raise InvalidRequest(
            "there is no queue to serve yet; create one with: launchyard queue create my-queue --resource local-process"
        )
    return found


def stop_on_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set, instead of ending the program at once."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def shower(session: Session) -> Show:
    """Shows a line with the name of the process that it is from."""

    def show(name: str, text: str) -> None:
        if session.as_json:
            output.line({"type": "output", "process": name, "line": text})
        else:
            click.echo(f"{click.style(f'{name:6} |', fg=_COLOURS.get(name))} {text}")

    return show
