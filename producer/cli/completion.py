"""What the shell offers for a word that is being written; it offers nothing rather than an error or a wait."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from broker_config.embedded import EmbeddedBroker
from broker_config.errors import LaunchyardError
from broker_config.queues import Queue, full_name
from broker_config.settings import load_settings
from broker_config.templates import TemplateVariable
from producer.client import Client


def template_variables(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`NAME=` of each template variable of the queue that stands on the line, and `NAME=VALUE` where it has choices."""
    queue = _queue(ctx)
    if queue is None:
        return []
    offered = [
        CompletionItem(word, help=variable.summary)
        for name, variable in queue.template_variables.items()
        for word in _words(name, variable)
    ]
    return [item for item in offered if item.value.startswith(incomplete)]


def _words(name: str, variable: TemplateVariable) -> list[str]:
    choices = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in variable.choices]
    return [f"{name}={choice}" for choice in choices] or [f"{name}="]


def _queue(ctx: click.Context) -> Queue | None:
    name = ctx.params.get("queue")
    if not name:
        return None
    try:
        settings = load_settings(**ctx.find_root().params)
        # Whoever presses a key does not expect that a broker is started.
        if settings.broker_url is None and EmbeddedBroker(settings.home).pid is None:
            return None
        with Client(settings) as client:
            return client.queue(full_name(name, ctx.params.get("entity"))).queue
    except LaunchyardError:
        return None
