"""`launchyard launch`: put a job on a queue."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from broker_config.errors import InvalidRequest
from producer import planning
from producer.cli import completion, documents, output
from producer.cli.following import follow
from producer.cli.launch_options import LaunchOptions
from producer.cli.session import Session, json_option, pass_session
from producer.launches import LaunchFields

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--queue", "-q", help="The queue that gets the job."),
    click.option("--job", "-j", metavar="JOB", help="A named job, with :v0 or an alias if not the newest version."),
    click.option("--uri", "-u", metavar="URL|DIR", help="A git repository or a folder of code."),
    click.option("--code", metavar="DIR", help="A folder of code; the present one when no source is named."),
    click.option("--git", "repository", metavar="URL[@REF]", help="A git repository, at a branch, tag or commit."),
    click.option("--git-version", "-g", metavar="REF", help="Branch, tag or commit of the repository of --uri."),
    click.option(
        "--git-diff", is_flag=True, help="The commit that is checked out in the folder, and what is not committed."
    ),
    click.option("--image", "--docker-image", "-d", metavar="IMAGE", help="An image that exists already."),
    click.option("--entry-point", "-E", metavar="TEXT", help="What to run, as one text; COMMAND has its arguments."),
    click.option(
        "--config", "-c", metavar="FILE|TEXT", help="A launch config, as JSON or YAML; other options come over it."
    ),
    click.option("--resource-args", "-R", metavar="FILE|TEXT", help="What to lay over the queue config."),
    click.option(
        "--set-var",
        "-v",
        "variables",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=completion.template_variables,
        help="A value for a template variable of the queue; may be repeated.",
    ),
    click.option("--name", "-n", help="The run's name; made up when absent."),
    click.option("--project", "-p", help="What the run belongs to."),
    click.option("--entity", "-e", help="The entity that the queue belongs to, to be sure."),
    click.option("--priority", "-P", help="critical, high, medium or low; medium when absent."),
    click.option("--env", multiple=True, metavar="KEY=VALUE", help="An environment variable; no secrets."),
    click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label, to find the run by."),
    click.option(
        "--override",
        "overrides",
        multiple=True,
        metavar="KEY.PATH=VALUE",
        help="Lay a value, or JSON, over the queue config.",
    ),
    click.option("--run-config", multiple=True, metavar="KEY=VALUE", help="A value, or JSON, of the run config."),
    click.option("--idempotency-key", help="A launch with a key that is known gives the earlier run."),
    click.option("--not-before", metavar="TIME", help="A time, or seconds from now, before which no agent takes it."),
    click.option("--after", multiple=True, metavar="RUN", help="A run that has to succeed before; may be repeated."),
    click.option("--retries", metavar="TEXT", help='Fewer retries than the queue\'s, as JSON or YAML: {"infra": 0}.'),
    click.option("--timeouts", metavar="TEXT", help='Shorter limits than the queue\'s, in seconds: {"run": 3600}.'),
    click.option("--build-context", metavar="DIR", help="Folder inside the source that counts as the code."),
    click.option("--dockerfile", "-D", metavar="PATH", help="Path of the Dockerfile inside the build context."),
    click.option(
        "--base-image", "-B", metavar="IMAGE", help="Build nothing: run this image with the code brought into it."
    ),
    click.option("--python-version", metavar="3.N", help="The Python of the image or environment that is built."),
    click.argument("command", nargs=-1, type=click.UNPROCESSED),
)


def launch_options(command: F) -> F:
    """The options of a launch, as `launch` and `plan` have them, and the job's command behind them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def launch_fields(session: Session, options: dict[str, Any]) -> LaunchFields:
    """The launch that the options mean; what of them changes nothing is told.

    Raises:
        InvalidRequest: when they cannot be a launch.
    """
    client = session.client
    if not options["queue"]:
        raise click.UsageError("Missing option '--queue' / '-q'.")
    given = LaunchOptions(**{**options, "after": tuple(client.run(run).id for run in options["after"])})
    fields = given.fields(lambda queue: client.queue(queue).queue)
    for sentence in given.notes:
        output.note(f"note: {sentence}")
    return fields


@click.command(context_settings={"allow_interspersed_args": False})
@launch_options
@click.option(
    "--plan",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make the launch that a plan shows, and no other one; stands without other options of a launch.",
)
@click.option("--follow", "-f", "follows", is_flag=True, help="Show its log, and exit as the job does.")
@json_option
@pass_session
def launch(session: Session, /, plan: Path | None, follows: bool, **options: Any) -> None:
    """Put a job on a queue.

    COMMAND is what the job runs: launchyard launch -q gpu-queue -- python train.py --lr 0.1
    """
    if plan is None:
        handle = session.client.launch(**launch_fields(session, options))
    else:
        if others := [name for name, value in options.items() if value]:
            raise InvalidRequest(f"the plan holds the whole launch; leave {', '.join(others)} out, or plan again")
        handle = session.client.launch_plan(planning.read(plan))
    if follows:
        if not session.as_json:
            output.note(f"run {handle.id} ({handle.name}) is queued on {handle.run.spec.queue.full_name}")
        sys.exit(follow(session, handle))
    if session.as_json:
        output.document(documents.run(handle.run))
        return
    click.echo(handle.id)
    output.note(f"run {handle.name} is {handle.run.state} on {handle.run.spec.queue.full_name}")
    output.next_command(f"launchyard logs -f {handle.id}", f"launchyard show {handle.id}")
