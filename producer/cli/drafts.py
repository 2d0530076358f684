"""A queue that is about to be written: what is found about it is told, and what its author makes of it in an editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from broker_config.errors import InvalidConfig, InvalidRequest
from broker_config.findings import Finding
from broker_config.queues import LIMITS, Queue, parse_queue
from broker_config.texts import read
from producer.cli import output, pairs
from producer.drafts import check

EDITABLE = (
    *("entity", "private", "resource", "prioritization", "pin_images", "description", "external_links", *LIMITS),
    *("retries", "timeouts", "overridable", "template_variables", "config"),
)
"""Fields of a queue in the order in which an editor shows them."""

_TOLD = "#: "
"""How the lines begin that tell in an editor what is wrong; they are taken out before the text is read again."""


def tell(warnings: list[Finding]) -> None:
    """Warnings for people, on stderr."""
    for finding in warnings:
        output.note(f"warning: {finding}")


def edited(name: str, fields: Mapping[str, Any]) -> tuple[Queue, list[Finding]] | None:
    """The queue that somebody makes of these fields in their editor, and its warnings; None when nothing was changed.

    A text with an error comes back into the editor with what is wrong above it, until it is right or stays as it was.

    Raises:
        InvalidRequest: when a text with an error was left as it was.
    """
    text = pairs.to_yaml({field: fields[field] for field in EDITABLE if field in fields}) + "\n"
    problem: InvalidRequest | None = None
    while (answer := click.edit(text, extension=".yaml")) is not None and answer != text:
        body = "".join(line for line in answer.splitlines(keepends=True) if not line.startswith(_TOLD))
        try:
            return _read(name, body, 0)
        except InvalidRequest as error:
            problem, text = error, _explained(name, body, len(_lines(error)))
    if problem is not None:
        raise problem
    return None


def _explained(name: str, body: str, height: int) -> str:
    """A text with what is wrong above it; line numbers count these lines too."""
    try:
        _read(name, body, height)
    except InvalidRequest as error:
        return "".join(f"{_TOLD}{line}\n" for line in _lines(error)) + body
    return body


def _lines(error: InvalidRequest) -> list[str]:
    found = error.findings if isinstance(error, InvalidConfig) else ()
    return [f"{one.severity}: {one}" for one in found] or [f"error: {error}"]


def _read(name: str, body: str, height: int) -> tuple[Queue, list[Finding]]:
    document = read("\n" * height + body, "your text")
    queue = parse_queue({**document.object, "name": name})
    return queue, check(queue, document, "/config")
