"""Queues of W&B Launch as queues here: from the answers of its API, and from Terraform's JSON.

The API's shape is what `Api().run_queue(...)` and its GraphQL interface answer: `name`, `type`, `config` or
`defaultResourceConfig`, `templateVariables`, `externalLinks`, `prioritizationMode`. Terraform's is what
`terraform show -json` prints for `wandb_run_queue` of the provider `wandb/wandb`, from a state or from a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue, parse_queue
from broker_config.texts import Document, read
from broker_config.wrappers import RESOURCE_ALIASES, unwrap

_NAMES = {
    "defaultResourceConfig": "config",
    "resource_config": "config",
    "resource": "type",
    "entity_name": "entity",
    "entityName": "entity",
    "prioritizationMode": "prioritization_mode",
    "templateVariables": "template_variables",
    "externalLinks": "external_links",
}
"""Other names of the same fields, in the API's other answers and in Terraform."""

_UNUSED = {
    "id": "it names the queue on W&B's server",
    "access": "who may push to a queue is decided by the broker's access rules",
    "items": "runs that wait there stay there; launch them again here",
}
"""Fields that say something which has no counterpart here, and why."""

_SILENT = {"__typename", "createdAt", "created_at", "updatedAt", "updated_at", "configSchemaValidationErrors"}
"""Fields that say nothing about a queue's contract."""


@dataclass
class Imported:
    """A queue that was found, and what of it could not be carried over."""

    queue: Queue
    left: list[str] = field(default_factory=list)  # one clause for each thing, with why


def queues_in(document: Document) -> list[Imported]:
    """The queues of a document.

    Raises:
        InvalidRequest: when there is none, or one cannot be a queue here.
    """
    found = [_queue(given, document.name) for given in _candidates(document.data)]
    if not found:
        raise InvalidRequest(
            f"{document.name} has no queue of W&B Launch in it; give an answer of its API with name, type and config, "
            "or what 'terraform show -json' prints"
        )
    return found


def _candidates(data: Any) -> Iterator[Mapping[str, Any]]:
    """Whatever looks like a queue: an object itself, items of a list, Terraform's resources in modules of any depth."""
    if isinstance(data, list):
        for item in data:
            yield from _candidates(item)
    if not isinstance(data, Mapping):
        return
    if data.get("type") == "wandb_run_queue":
        yield from _terraform(data)
    elif "name" in data and {"type", "resource"} & data.keys() and not {"values", "instances"} & data.keys():
        yield data
    else:
        # `values` of a state, and `planned_values` of a plan; its `resource_changes` and `prior_state` say it again.
        again = {"resource_changes", "prior_state", "configuration"}
        for name, below in data.items():
            if name not in again:
                yield from _candidates(below)


def _terraform(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The values of a resource: as `terraform show -json` has them, or as the state file itself does."""
    instances = resource.get("instances")
    found = [one.get("attributes") for one in instances] if isinstance(instances, list) else [resource.get("values")]
    yield from (values for values in found if isinstance(values, Mapping))


def _queue(given: Mapping[str, Any], source: str) -> Imported:
    fields = {_NAMES.get(name, name): value for name, value in given.items() if value not in (None, "", [], {})}
    name, type_ = fields.pop("name", ""), fields.pop("type", "")
    where = f"{source}: queue {name!r}"
    left: list[str] = []
    mode = fields.pop("prioritization_mode", "DISABLED")
    if mode not in {"V0", "DISABLED"}:
        left.append(f"prioritization mode {mode!r}: it is not known, so the queue is one FIFO")
    variables = _decoded(fields.pop("template_variables", {}), f"{where}: template_variables")
    queue: dict[str, Any] = {
        "name": name,
        "resource": type_,
        "config": _config(fields.pop("config", {}), type_, left),
        "template_variables": _variables(variables),
        "prioritization": mode == "V0",
        "description": fields.pop("description", ""),
        "external_links": _links(_decoded(fields.pop("external_links", {}), f"{where}: external_links")),
    }
    if entity := fields.pop("entity", None):
        queue["entity"] = entity["name"] if isinstance(entity, Mapping) and "name" in entity else entity
    if fields.get("access") == "USER" and "entity" in queue:
        del fields["access"]
        queue["private"] = True
    left += _unused(fields)
    try:
        return Imported(parse_queue(queue), left)
    except InvalidRequest as error:
        raise InvalidRequest(f"{source}: {error}") from error


def _config(given: Any, type_: Any, left: list[str]) -> Any:
    config = unwrap(given, RESOURCE_ALIASES.get(str(type_), str(type_))).config
    if isinstance(config, Mapping) and "builder" in config:
        left.append("'builder' of the config: how images are built is said in the agent's config")
        config = {name: value for name, value in config.items() if name != "builder"}
    return config


def _variables(given: Any) -> Any:
    """Terraform's variables may have another name than their key; theirs is the one in the config."""
    if isinstance(given, Mapping):
        return {one.get("name", key) if isinstance(one, Mapping) else key: one for key, one in given.items()}
    return given


def _links(given: Any) -> Any:
    """Links by their labels; the API has `{"links": [{"label": ..., "url": ...}]}`."""
    listed = given.get("links") if isinstance(given, Mapping) else None
    if isinstance(listed, list) and all(isinstance(one, Mapping) and {"label", "url"} <= one.keys() for one in listed):
        return {one["label"]: one["url"] for one in listed}
    return given


def _decoded(given: Any, what: str) -> Any:
    return read(given, what).data if isinstance(given, str) else given


def _unused(fields: Mapping[str, Any]) -> Sequence[str]:
    return [f"{name!r}: {_UNUSED.get(name, 'nothing here stands for it')}" for name in fields if name not in _SILENT]
