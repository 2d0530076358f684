"""How a job's overrides change a queue config: JSON Merge Patch (RFC 7396), and lists of named things by name.

Who wrote each value is kept beside the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from broker_config.placeholders import variables_in
from broker_config.pointers import Path, children, to_pointer

DIRECTIVE = "$patch"
"""In an item of a list of named things, `"$patch": "delete"` removes it, as in Kubernetes' strategic merge patch."""


class Layer(StrEnum):
    """Where a value of a run's config can come from; each lies over those before it."""

    DEFAULT = "default"  # the resource's own
    QUEUE = "queue"
    TEMPLATE = "template"  # the queue's text with a launch's values in it
    OVERRIDE = "override"


class Origin(NamedTuple):
    """Who wrote a value."""

    layer: Layer
    variables: tuple[str, ...] = ()  # of a template

    def __str__(self) -> str:
        return " ".join([self.layer, ", ".join(self.variables)]).rstrip()


@dataclass(frozen=True, slots=True)
class Merged:
    """A config, and where each of its values comes from."""

    config: dict[str, Any]
    origins: Mapping[str, Origin]  # by JSON Pointer: one for each leaf, and none for anything else


def merge(
    config: Mapping[str, Any], overrides: Mapping[str, Any], named_lists: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """`config` with `overrides` laid over it; neither is changed.

    Objects are merged key by key, `None` removes a key, and anything else replaces what was there. A list that stands
    under a key of `named_lists` is merged item by item, when every item on both sides has a name of its own; new items
    come at its end.
    """
    named_lists = named_lists or {}
    merged = dict(config)
    for key, value in overrides.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _laid_over(merged.get(key), value, named_lists.get(key, ""), named_lists)
    return merged


def _laid_over(below: Any, above: Any, name_key: str, named_lists: Mapping[str, str]) -> Any:
    if isinstance(above, Mapping):
        return merge(below if isinstance(below, Mapping) else {}, above, named_lists)
    there = items_by_name(above, name_key)
    here = items_by_name(below, name_key) if isinstance(below, list | tuple) else {}
    if here is None or there is None:
        return above
    for name, item in there.items():
        if _value(item.get(DIRECTIVE)) == "delete":
            here.pop(name, None)
        else:
            here[name] = merge(here.get(name, {}), item, named_lists)
    return list(here.values())


def items_by_name(items: Any, name_key: str) -> dict[str | int, Mapping[str, Any]] | None:
    """The items of a list of named things; None where some item has no name of its own."""
    if not name_key or not isinstance(items, list | tuple) or not all(isinstance(item, Mapping) for item in items):
        return None
    names = [_value(item.get(name_key)) for item in items]
    is_named = all(type(name) in {str, int} for name in names) and len(set(names)) == len(names)
    return dict(zip(names, items, strict=True)) if is_named else None


def merge_with_origins(
    written: Mapping[str, Any],
    filled: Mapping[str, Any],
    overrides: Mapping[str, Any],
    named_lists: Mapping[str, str],
) -> Merged:
    """As `merge` of `filled` and `overrides`. `written` is the queue config before its variables were filled."""
    below = _marked_object(written, filled, ())
    above = {key: _marked_override(value) for key, value in overrides.items()}
    origins: dict[str, Origin] = {}
    merged = merge(below, above, named_lists)
    return Merged({key: _told(value, (key,), origins) for key, value in merged.items()}, origins)


@dataclass(frozen=True, slots=True)
class _Marked:
    """A leaf that knows where it comes from."""

    value: Any
    origin: Origin


def _value(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, _Marked) else leaf


def _marked(written: Any, filled: Any, names: tuple[str, ...]) -> Any:
    """A part of the queue config with marks on its leaves; `names` are the variables in the keys above it."""
    if isinstance(written, Mapping) and written:
        return _marked_object(written, filled, names)
    if isinstance(written, list | tuple) and written:
        return [_marked(*pair, names) for pair in zip(written, filled, strict=True)]
    names = tuple(dict.fromkeys((*names, *(variables_in(written) if isinstance(written, str) else ()))))
    return _Marked(filled, Origin(Layer.TEMPLATE, names) if names else Origin(Layer.QUEUE))


def _marked_object(written: Mapping[str, Any], filled: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    # Filling keeps the order, and changes keys.
    pairs = zip(written.items(), filled.items(), strict=True)
    return {key: _marked(text, value, (*names, *variables_in(template))) for (template, text), (key, value) in pairs}


def _marked_override(value: Any) -> Any:
    """A part of the overrides with marks on its leaves. Nulls and empty objects stay what they are for the merge."""
    if isinstance(value, Mapping):
        return {key: _marked_override(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and value:
        return [_marked_override(item) for item in value]
    return value if value is None else _Marked(value, Origin(Layer.OVERRIDE))


def _told(value: Any, path: Path, origins: dict[str, Origin]) -> Any:
    """What is below the marks, which are written down. Only overrides leave places without one."""
    inside = list(children(value))
    if isinstance(value, _Marked) or not inside:
        origins[to_pointer(path)] = value.origin if isinstance(value, _Marked) else Origin(Layer.OVERRIDE)
        return _value(value)
    told = {name: _told(item, (*path, name), origins) for name, item in inside}
    return told if isinstance(value, Mapping) else list(told.values())
