"""A queue that is about to be written: what is found about it, each with its place in the text it was read from."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from broker_config.checks import check_queue, located, refuse
from broker_config.errors import did_you_mean
from broker_config.findings import Finding, warning
from broker_config.queues import Queue
from broker_config.texts import Document
from broker_config.wrappers import unwrap


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


def known_resources() -> set[str]:
    """The resources that are installed here."""
    return {entry.name for group in ("targets", "resources") for entry in entry_points(group=f"launchyard.{group}")}


def _at(data: Any, config: str) -> Any:
    return data.get(config[1:]) if config else data


def _of_unknown_resource(resource: str) -> list[Finding]:
    # Only a warning: the resource must be installed where the agent runs, and that may be elsewhere.
    known = known_resources()
    missing = f"no resource {resource!r} is installed here{did_you_mean(resource, known)}"
    return [] if resource in known else [warning("", missing)]
