"""`launchyard history`: where finished runs are kept, for those who run agents and brokers."""

from __future__ import annotations

import click

from broker_config.errors import NotFound
from broker_config.history import open_history
from producer.cli import output
from producer.cli.session import Session, json_option, pass_session


@click.group("history")
def group() -> None:
    """See how much the history of finished runs holds, or give it up."""


@group.command()
@json_option
@pass_session
def stats(session: Session) -> None:
    """Show how many runs the history has, and how it is written."""
    if not session.settings.history:
        raise NotFound("there is no history here; set LAUNCHYARD_HISTORY as the agents have it")
    history = open_history(session.settings.history)
    amount, keeping = history.amount(), session.store.finished.keeping()
    if session.as_json:
        output.document(
            {
                "url": history.url,
                "runs": amount.runs,
                "bytes": amount.size_bytes,
                "oldest": amount.oldest and amount.oldest.isoformat(),
                "newest": amount.newest and amount.newest.isoformat(),
                "keeping": keeping and keeping.model_dump(mode="json"),
            }
        )
        return
    output.fields(
        [
            ("history", history.url),
            ("runs", f"{amount.runs:,}"),
            ("size", f"{amount.size_bytes / 1024**2:,.1f} MiB"),
            ("oldest", output.clock(amount.oldest) if amount.oldest else ""),
            ("newest", output.clock(amount.newest) if amount.newest else ""),
            ("written", f"{output.clock(keeping.at)} by {keeping.agent}" if keeping else "no agent has said so"),
            ("failing", f"since {output.clock(keeping.failing_since)}" if keeping and keeping.failing_since else ""),
            ("because", keeping.error if keeping else ""),
        ]
    )
    output.next_command("launchyard runs")


@group.command()
@json_option
@pass_session
def stop(session: Session) -> None:
    """Have finished runs dropped again without being written. Take LAUNCHYARD_HISTORY from the agents before."""
    session.store.finished.end_keeping()
    if session.as_json:
        output.document({"stopped": True})
        return
    click.echo("Finished runs are dropped when their time has come. What the history has stays there.")
    output.next_command("launchyard check")
