"""What is looked at before a queue is written: its placeholders, its rights, and what its resource says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from broker_config import macros, queue_builder, resources, templates
from broker_config.errors import InvalidConfig, InvalidRequest
from broker_config.findings import Finding, Severity, error
from broker_config.placeholders import Value, fill, is_open
from broker_config.pointers import leaves, to_pointer
from broker_config.queues import Queue
from broker_config.runs import RunSpec, config_of
from broker_config.texts.document import Document


def check_queue(queue: Queue) -> list[Finding]:
    """What its owner should know about a queue, the errors first."""
    found = [
        *templates.check(queue.config, queue.template_variables),
        *macros.check(queue.config),
        *_check_rights(queue),
    ]
    if not any(finding.is_error for finding in found):
        found += _check_config(queue)
    return sorted(found, key=lambda finding: not finding.is_error)


def refuse_errors(queue: Queue) -> None:
    """Whether a queue can be written.

    Raises:
        InvalidConfig: when something in it cannot work; every such place is named.
    """
    refuse(queue, check_queue(queue))


def refuse(queue: Queue, findings: Sequence[Finding]) -> None:
    """Whether a queue of which this was found can be written.

    Raises:
        InvalidConfig: when there is an error in it; every such place is named.
    """
    if errors := [str(finding) for finding in findings if finding.is_error]:
        raise InvalidConfig(f"queue {queue.full_name!r}: config: " + "; ".join(errors), findings)


def located(findings: Sequence[Finding], document: Document, config: str) -> list[Finding]:
    """Findings with their places in the text that the config was read from, in the order of these places.

    `config` is the JSON Pointer of the config in that text.
    """
    ordered = sorted(findings, key=lambda finding: document.mark(config + finding.pointer))
    return [finding._replace(place=document.place(config + finding.pointer)) for finding in ordered]


def check_run(spec: RunSpec) -> list[Finding]:
    """What the resource says of a run's config: with values and overrides, where macros are still texts."""
    return _check_merged(spec.queue, spec.template_values, spec.overrides)


def refuse_overrides(queue: Queue, values: Mapping[str, Value], overrides: Mapping[str, Any]) -> None:
    """Whether a launch's overrides can work, as far as the resource knows. What was wrong without them does not count.

    Raises:
        InvalidRequest: when they cannot; every such place is named.
    """
    errors = [finding for finding in _check_merged(queue, values, overrides) if finding.is_error]
    if errors:
        before = _check_merged(queue, values, {})
        errors = [finding for finding in errors if finding not in before]
    if errors:
        raise InvalidRequest(f"overrides of a launch on queue {queue.full_name!r}: " + "; ".join(map(str, errors)))


def _check_merged(queue: Queue, values: Mapping[str, Value], overrides: Mapping[str, Any]) -> list[Finding]:
    merged = config_of(queue, values, overrides)
    found = _of_resource(queue.resource, merged)
    return _less_sure(found, {to_pointer(path) for path, leaf in leaves(merged) if is_open(leaf)})


def _check_rights(queue: Queue) -> list[Finding]:
    if queue.overridable != "nothing":
        return []
    return [
        error("", f"template variable {name!r} has no default, and 'overridable: nothing' lets no job give it a value")
        for name, variable in queue.template_variables.items()
        if variable.default is None
    ]


def _check_config(queue: Queue) -> list[Finding]:
    """What the resource says, with samples in the place of variables: about such a place nothing is sure."""
    found: dict[Finding, None] = {}
    for values in templates.samples(queue.config, queue.template_variables):
        filled = fill(queue.config, variables=values)
        places = zip(leaves(queue.config), leaves(filled), strict=True)
        open_places = {to_pointer(path) for (_, leaf), (path, _) in places if is_open(leaf)}
        found |= dict.fromkeys(_less_sure(_of_resource(queue.resource, filled), open_places))
    return list(found)


def _of_resource(resource: str, config: Mapping[str, Any]) -> list[Finding]:
    return [
        *queue_builder.check(resource, config),
        *resources.load(resource).check(queue_builder.without(config)),
    ]


def _less_sure(found: Sequence[Finding], open_places: set[str]) -> list[Finding]:
    """Findings about places whose values are not known yet are warnings."""
    return [
        finding._replace(severity=Severity.WARNING) if finding.pointer in open_places else finding for finding in found
    ]
