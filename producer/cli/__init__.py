"""The command line, `launchyard`: one module a noun."""

from __future__ import annotations

from pathlib import Path

import click

from broker_config import __version__
from producer.cli import (
    accounts,
    agents,
    broker,
    building,
    checking,
    code,
    demo,
    explaining,
    history,
    images,
    importing,
    jobs,
    launching,
    planning,
    queues,
    recovering,
    runs,
    serving,
    up,
)
from producer.cli.exits import Commands
from producer.cli.session import Session


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="launchyard")
@click.option("--home", type=click.Path(path_type=Path), help="Folder of everything kept on this machine.")
@click.option("--broker-url", help="Broker to use; better in LAUNCHYARD_BROKER_URL when it holds a password.")
@click.option("--server-url", help="Server to ask in the broker's place, such as https://host.")
@click.pass_context
def main(ctx: click.Context, home: Path | None, broker_url: str | None, server_url: str | None) -> None:
    """Launch ML jobs: producers put them on queues, agents build and run them.

    \b
    Begin with:   launchyard demo
    Or by hand:   launchyard queue create my-queue --resource local-process
                  launchyard up
                  launchyard launch -q my-queue -f -- python train.py

    \b
    Exit codes:   0 done, 1 other error, 2 usage, 3 invalid request, 4 not found, 5 conflict, 6 config,
                  7 broker does not answer, 8 waited too long. A followed run: the job's own code, 130 when
                  it was cancelled, 75 when it was preempted.
    """
    ctx.obj = Session({"home": home, "broker_url": broker_url, "server_url": server_url})


for command in (
    queues.group,
    launching.launch,
    planning.plan,
    building.build,
    jobs.group,
    runs.runs,
    runs.show,
    explaining.explain,
    runs.logs,
    runs.cancel,
    runs.prioritize,
    images.group,
    agents.agents,
    agents.agent,
    importing.group,
    code.group,
    broker.group,
    checking.check,
    history.group,
    serving.serve,
    serving.signin,
    accounts.user,
    accounts.team,
    accounts.service_account,
    accounts.key,
    accounts.audit,
    recovering.recover,
    up.up,
    demo.demo,
):
    main.add_command(command)
