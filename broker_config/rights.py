"""What the owner of a queue lets a job change: a list of places, and the guarded ones only by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from broker_config import resources
from broker_config.errors import InvalidRequest
from broker_config.overrides import items_by_name, merge
from broker_config.placeholders import Value
from broker_config.pointers import Path, children, from_pointer, to_pointer
from broker_config.queues import Queue
from broker_config.resources.protocol import Guard, Resource

ANY_DEPTH = "**"
_EVERYTHING: Path = ("*",)


def check(queue: Queue, overrides: Mapping[str, Any], values: Mapping[str, Value]) -> None:
    """Whether a job may have these overrides, and these values of template variables.

    Raises:
        InvalidRequest: when its queue's owner does not let it; every place is named.
    """
    what = f"queue {queue.name!r}"
    chosen = [name for name, variable in queue.template_variables.items() if values.get(name) != variable.default]
    if queue.overridable == "nothing" and chosen:
        raise InvalidRequest(f"{what} does not let a job choose its template variables; leave out {', '.join(chosen)}")
    if not overrides:
        return
    if queue.overridable in {"nothing", "variables"}:
        cure = f"; choose with: {', '.join(queue.template_variables)}" if queue.overridable == "variables" else ""
        raise InvalidRequest(f"{what} takes no overrides{cure or '; leave them out, or ask its owner'}")
    resource = resources.load(queue.resource)
    rights = _Rights(queue, resource)
    problems = dict.fromkeys([*rights.not_named(overrides), *rights.guarded(overrides)])
    if problems:
        raise InvalidRequest(f"{what}: " + "; ".join(problems))


def insecure(resource: Resource, config: Mapping[str, Any]) -> list[str]:
    """What an agent in secure mode refuses in a config, whoever wrote it: one clause for each place."""
    return [
        f"{to_pointer(path)}: {guard.why}"
        for path, value in _walk(resource.canonical(config), resource.named_lists)
        for guard in resource.insecure
        if value and _is_at(guard, path, value)
    ]


class _Leaf(NamedTuple):
    """A value in a guarded place."""

    value: Any
    guard: Guard
    depth: int  # of the guarded name in the leaf's path


class _Rights:
    """The rights that one queue gives."""

    def __init__(self, queue: Queue, resource: Resource) -> None:
        self._resource = resource
        self._config = resource.canonical(queue.config)
        given = queue.overridable
        self._entries = [_EVERYTHING] if isinstance(given, str) else [self._entry(text) for text in given]

    def _entry(self, text: str) -> Path:
        """A place that the owner names, with the resource's own spelling of its first word."""
        first, *rest = from_pointer(text)
        return (next(iter(self._resource.canonical({first: None}))), *rest)

    def not_named(self, overrides: Mapping[str, Any]) -> Iterator[str]:
        """A clause for each place that the overrides write and that the owner does not name."""
        named_lists = self._resource.named_lists
        known_already = dict(_walk(self._config, named_lists))
        for path, value in _walk(self._resource.canonical(overrides), named_lists):
            # To say again what the owner wrote changes nothing: an item's name, above all.
            is_write = not any(children(value)) and repr(known_already.get(path, ...)) != repr(value)
            if is_write and not any(_covers(entry, path) for entry in self._entries):
                known = ", ".join(to_pointer(entry) for entry in self._entries)
                yield f"a job may not override {to_pointer(path)!r}; it may override: {known}"

    def guarded(self, overrides: Mapping[str, Any]) -> Iterator[str]:
        """A clause for each guarded place that the overrides would change and that the owner does not name."""
        resource = self._resource
        merged = merge(self._config, resource.canonical(overrides), resource.named_lists)
        before, after = self._leaves(self._config), self._leaves(merged)
        for path in dict.fromkeys((*before, *after)):
            if _is_same(before.get(path), after.get(path)):
                continue
            leaf = after.get(path) or before[path]
            if not any(_covers(entry, path) and _names(entry, leaf.depth) for entry in self._entries):
                place = to_pointer(path[: leaf.depth])
                cure = "the queue's owner can name it in 'overridable'"
                yield f"a job may not override {place!r}: {leaf.guard.why}; {cure}"

    def _leaves(self, config: Mapping[str, Any]) -> dict[Path, _Leaf]:
        found: dict[Path, _Leaf] = {}
        for path, value in _walk(config, self._resource.named_lists):
            guard = next((guard for guard in self._resource.guarded if _is_at(guard, path, value)), None)
            if guard is not None:
                inside = [(path, value), *_walk(value, self._resource.named_lists, path)]
                here = {place: _Leaf(leaf, guard, len(path)) for place, leaf in inside if not any(children(leaf))}
                found = {**here, **found}  # what is inside a guarded place belongs to that one
        return found


def _walk(value: Any, named_lists: Mapping[str, str], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything in a config, with its place: items of a list of named things by their names."""
    named = items_by_name(value, named_lists.get(path[-1], "")) if path else None
    inside = ((str(name), item) for name, item in named.items()) if named else children(value)
    for name, item in inside:
        yield (*path, name), item
        yield from _walk(item, named_lists, (*path, name))


def _is_same(one: _Leaf | None, other: _Leaf | None) -> bool:
    # By type too: 1 is not true.
    return one is not None and other is not None and repr(one.value) == repr(other.value)


def _is_at(guard: Guard, path: Path, value: Any) -> bool:
    pattern = from_pointer(guard.path)
    if pattern[0] == ANY_DEPTH:
        pattern = pattern[1:]
        path = path[-len(pattern) :]
    return len(path) == len(pattern) and _covers(pattern, path) and guard.only in (None, value)


def _covers(entry: Sequence[str], path: Path) -> bool:
    return len(entry) <= len(path) and all(fnmatchcase(part, one) for part, one in zip(path, entry, strict=False))


def _names(entry: Path, depth: int) -> bool:
    """Whether an entry goes as far as the guarded name, and writes it out."""
    return len(entry) >= depth and "*" not in entry[depth - 1]
