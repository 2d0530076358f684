"""A queue that is about to be written: what its check finds is told with its place, and an error keeps it back."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import click

from broker_config.checks import check_queue, located, refuse
from broker_config.errors import InvalidConfig, InvalidRequest, did_you_mean
from broker_config.findings import Finding, warning
from broker_config.queues import LIMITS, Queue, parse_queue
from broker_config.texts import Document, read
from broker_config.wrappers import unwrap
from producer.cli import output, pairs

EDITABLE = (
    *("entity", "private", "resource", "prioritization", "pin_images", "description", "external_links", *LIMITS),
    *("retries", "timeouts", "overridable", "template_variables", "config"),
)
"""Fields of a queue in the order in which an editor shows them."""

_TOLD = "#: "
"""How the lines begin that tell in an editor what is wrong; they are taken out before the text is read again."""


def check(queue: Queue, document: Document | None = None, config: str = "") -> list[Finding]:
    """The warnings about a queue.

    `config` is the JSON Pointer in the document of what was given as the config.

    Raises:
        InvalidConfig: when it cannot be written.
    """
    found = check_queue(queue)
    if document is not None:
        found = located(found, document, config + unwrap(_at(document.data, config), queue.resource).pointer)
    refuse(queue, found)
    return [*_of_unknown_resource(queue.resource), *found]


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


def _at(data: Any, config: str) -> Any:
    return data.get(config[1:]) if config else data


def _of_unknown_resource(resource: str) -> list[Finding]:
    # Only a warning: the resource must be installed where the agent runs, and that may be elsewhere.
    known = {entry.name for group in ("targets", "resources") for entry in entry_points(group=f"launchyard.{group}")}
    missing = f"no resource {resource!r} is installed here{did_you_mean(resource, known)}"
    return [] if resource in known else [warning("", missing)]
