"""Options that say which runs are wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from broker_config.queues import full_name
from broker_config.states import State
from broker_config.wanted import Wanted
from producer.cli import pairs
from producer.cli.amounts import Moment

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--queue", "-q", help="Runs of this queue only."),
    click.option(
        "--state", "-s", "states", multiple=True, type=click.Choice([*map(str, State)]), help="Runs in this state only."
    ),
    click.option("--author", help="Runs that this one launched."),
    click.option("--entity", "-e", help="Runs on queues of this team."),
    click.option("--name", help="Runs with this in their name."),
    click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Runs with this label; repeatable."),
    click.option("--since", type=Moment(), help="Launched after that: 7d, or a date."),
    click.option("--until", type=Moment(), help="Launched before that."),
)


def filters(command: F) -> F:
    """The options; `wanted_of` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def wanted_of(
    *,
    queue: str | None,
    states: tuple[str, ...],
    labels: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    **given: str | None,
) -> Wanted:
    """What the options ask for.

    Raises:
        InvalidRequest: when a label is not KEY=VALUE.
    """
    return Wanted(
        queue=full_name(queue) if queue else "",
        states=tuple(map(State, states)),
        labels=pairs.plain_pairs(labels, "--label"),
        since=since,
        until=until,
        **{name: value or "" for name, value in given.items()},
    )
