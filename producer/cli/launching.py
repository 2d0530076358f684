"""`launchyard launch`: put a job on a queue."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from broker_config.errors import InvalidRequest
from broker_config.jobs import ImageSource
from broker_config.priorities import Priority
from broker_config.texts import read_object
from producer.cli import documents, output, pairs
from producer.cli.following import follow
from producer.cli.session import Session, json_option, pass_session
from producer.launches import LaunchFields
from producer.sources import Given, LocalCode, git


@dataclass(frozen=True)
class LaunchOptions:
    """What stands on the command line."""

    queue: str
    code: str | None
    repository: str | None
    image: str | None
    name: str | None
    priority: str
    env: tuple[str, ...]
    labels: tuple[str, ...]
    overrides: tuple[str, ...]
    run_config: tuple[str, ...]
    idempotency_key: str | None
    not_before: str | None
    after: tuple[str, ...]
    retries: str | None
    timeouts: str | None
    dockerfile: str | None
    python_version: str | None
    command: tuple[str, ...]

    @property
    def source(self) -> Given:
        """The source: the one that is named, or the folder in which the command is called."""
        named = [option for option in (self.code, self.repository, self.image) if option is not None]
        if len(named) > 1:
            raise InvalidRequest("--code, --git and --image each name the source; choose one")
        if self.repository is not None:
            return git(self.repository)
        if self.image is not None:
            return ImageSource(image=self.image)
        if self.code is None and not self.command:
            raise InvalidRequest("say what to run: a command after --, or a source with --code, --git or --image")
        return LocalCode(Path(self.code or "."))

    @property
    def fields(self) -> LaunchFields:
        """The launch."""
        return {
            "queue": self.queue,
            "source": self.source,
            "entry_point": self.command,
            "env": pairs.plain_pairs(self.env, "--env"),
            "run_config": pairs.settings(self.run_config, "--config"),
            "overrides": pairs.settings(self.overrides, "--override"),
            "priority": self.priority,
            "name": self.name,
            "labels": pairs.plain_pairs(self.labels, "--label"),
            "idempotency_key": self.idempotency_key,
            "not_before": _moment(self.not_before),
            "after": self.after,
            "retries": read_object(self.retries, "--retries") if self.retries else None,
            "timeouts": read_object(self.timeouts, "--timeouts") if self.timeouts else None,
            "dockerfile": self.dockerfile,
            "python_version": self.python_version,
        }


def _moment(text: str | None) -> datetime | float | None:
    """A time, on this machine's clock unless it names its zone, or a number of seconds from now.

    Raises:
        InvalidRequest: when it is neither.
    """
    if text is None:
        return None
    for read in (float, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        return found.astimezone() if isinstance(found, datetime) else found
    raise InvalidRequest(f"--not-before {text!r} is no time; give seconds from now, or one like 2027-01-31T08:00")


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--queue", "-q", required=True, help="The queue that gets the job.")
@click.option("--code", metavar="DIR", help="A folder of code; the present one when no source is named.")
@click.option("--git", "repository", metavar="URL[@REF]", help="A git repository, at a branch, tag or commit.")
@click.option("--image", metavar="IMAGE", help="An image that exists already.")
@click.option("--name", help="The run's name; made up when absent.")
@click.option(
    "--priority", "-p", default=Priority.MEDIUM.label, help="critical, high, medium or low.", show_default=True
)
@click.option("--env", "-e", multiple=True, metavar="KEY=VALUE", help="An environment variable; no secrets.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label, to find the run by.")
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Lay a value, or JSON, over the queue config.",
)
@click.option("--config", "run_config", multiple=True, metavar="KEY=VALUE", help="A value, or JSON, of the run config.")
@click.option("--idempotency-key", help="A launch with a key that is known gives the earlier run.")
@click.option("--not-before", metavar="TIME", help="A time, or seconds from now, before which no agent takes it.")
@click.option("--after", multiple=True, metavar="RUN", help="A run that has to succeed before; may be repeated.")
@click.option("--retries", metavar="TEXT", help='Fewer retries than the queue\'s, as JSON or YAML: {"infra": 0}.')
@click.option("--timeouts", metavar="TEXT", help='Shorter limits than the queue\'s, in seconds: {"run": 3600}.')
@click.option("--dockerfile", metavar="PATH", help="Path of the Dockerfile inside the source.")
@click.option("--python-version", metavar="3.N", help="The Python of the image or environment that is built.")
@click.option("--follow", "-f", "follows", is_flag=True, help="Show its log, and exit as the job does.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@json_option
@pass_session
def launch(session: Session, /, follows: bool, **options: Any) -> None:
    """Put a job on a queue.

    COMMAND is what the job runs: launchyard launch -q gpu-queue -- python train.py --lr 0.1
    """
    options["after"] = tuple(session.client.run(run).id for run in options["after"])
    handle = session.client.launch(**LaunchOptions(**options).fields)
    if follows:
        if not session.as_json:
            output.note(f"run {handle.id} ({handle.name}) is queued on {handle.run.spec.queue.name}")
        sys.exit(follow(session, handle))
    if session.as_json:
        output.document(documents.run(handle.run))
        return
    click.echo(handle.id)
    output.note(f"run {handle.name} is {handle.run.state} on {handle.run.spec.queue.name}")
    output.next_command(f"launchyard logs -f {handle.id}", f"launchyard show {handle.id}")
