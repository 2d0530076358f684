"""What all commands of one call share: the settings, the client, and whether to answer in JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import click

from broker_config.settings import Settings, load_settings
from broker_config.store import Store
from producer.cli.progress import Shown
from producer.client import Client

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Session:
    """One call of the command line."""

    flags: dict[str, Any] = field(default_factory=dict)  # settings given before the command
    as_json: bool = False

    @cached_property
    def settings(self) -> Settings:
        return load_settings(**self.flags)

    @cached_property
    def client(self) -> Client:
        """The client; it starts the embedded broker when that is needed."""
        client = Client(self.settings)
        if not self.as_json:
            client.progress = Shown()
        return client

    @cached_property
    def store(self) -> Store:
        """The broker itself, for the commands of those who run agents and brokers."""
        return Store(self.settings)


pass_session = click.make_pass_decorator(Session, ensure=True)


def json_option(command: F) -> F:
    """The option `--json`, which every command has."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Session).as_json = True

    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Answer in JSON: one document, or one a line while following.",
    )
    return option(command)


def log_format_option(command: F) -> F:
    """The option `--log-format` of the commands that become a process with a log."""
    option = click.option(
        "--log-format", type=click.Choice(["text", "json"]), help="How its log is written; the setting's when absent."
    )
    return option(command)


def logging_as(settings: Settings, log_format: str | None) -> Settings:
    """The settings with the format that the option gave, if it gave one."""
    return settings.model_copy(update={"log_format": log_format}) if log_format else settings
