"""What W&B Launch's interfaces wrap around a queue config, taken off.

Its API and its Terraform provider have `{"resource_args": {"kubernetes": {...}}}`, the first also as JSON text; its web
form and some pages of its documentation have `{"kubernetes": {...}}`, or no wrapper at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from broker_config.errors import InvalidRequest
from broker_config.texts import read_object

RESOURCE_ALIASES: Mapping[str, str] = {"local-container": "docker", "local": "docker", "gcp-vertex": "vertex"}
"""W&B Launch's names for target resources that have a shorter one here."""

RESOURCES = frozenset({"docker", "local-process", "kubernetes", "sagemaker", "vertex"})
"""Names that W&B Launch knows a resource by, or that stand for such a name."""

ARGUMENTS = "resource_args"


class Unwrapped(NamedTuple):
    """A queue config, and the JSON Pointer of it in what it was wrapped in."""

    config: Any
    pointer: str = ""


def unwrap(given: Any, resource: str) -> Unwrapped:
    """The queue config in what was given for a queue on `resource`.

    Raises:
        InvalidRequest: when it is wrapped for another resource, or is a text without an object in it.
    """
    config = _object(given, "the config")
    pointer = ""
    if isinstance(config, dict) and ARGUMENTS in config:
        _check_alone(config)
        config, pointer = _object(config[ARGUMENTS], ARGUMENTS), f"/{ARGUMENTS}"
    if not isinstance(config, dict) or len(config) != 1:
        return Unwrapped(config, pointer)
    name, inside = next(iter(config.items()))
    wrapped = RESOURCE_ALIASES.get(name, name)
    if wrapped == resource and isinstance(inside, dict | str):
        return Unwrapped(_object(inside, name), f"{pointer}/{name}")
    if wrapped in RESOURCES and resource in RESOURCES and isinstance(inside, dict):
        raise InvalidRequest(
            f"the config is one of resource {name!r}, and the queue is on {resource!r}; "
            f"give it to a queue on {wrapped!r}, or take {name!r} away"
        )
    return Unwrapped(config, pointer)


def _object(given: Any, what: str) -> Any:
    """A text as the object that it holds; anything else as it is."""
    return read_object(given, what) if isinstance(given, str) else given


def _check_alone(config: Mapping[str, Any]) -> None:
    if others := sorted(map(str, config.keys() - {ARGUMENTS})):
        raise InvalidRequest(
            f"{', '.join(map(repr, others))} beside {ARGUMENTS!r} belongs to no config; put it inside, or remove it"
        )
