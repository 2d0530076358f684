"""What the owner of a queue lets a job change: a list of places, and the guarded ones only by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from broker_config import resources
from broker_config.errors import InvalidRequest
from broker_config.overrides import items_by_name, merge
from broker_config.placeholders import Value, fill
from broker_config.pointers import Path, children, from_pointer, to_pointer
from broker_config.queues import Queue
from broker_config.resources.protocol import Guard, Resource

ANY_DEPTH = "**"
_EVERYTHING: Path = ("*",)


class _Leaf(NamedTuple):
    """A value in a guarded place."""

    value: Any
    guard: Guard
    depth: int  # of the guarded name in the leaf's path


class _Written(NamedTuple):
    """What the owner wrote, with its placeholders filled: an item that overrides are merged into goes by its name."""

    config: Mapping[str, Any]
    places: Mapping[Path, Any]
    guarded: Mapping[Path, _Leaf]


class Rights:
    """The rights that one queue gives to the jobs on it. What is known of the queue is found out once."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._what = f"queue {queue.full_name!r}"
        self._last: tuple[object, _Written] | None = None

    def check(
        self, overrides: Mapping[str, Any], values: Mapping[str, Value], macros: Mapping[str, str] | None = None
    ) -> None:
        """Whether a job may have these overrides, and these values of all template variables.

        Macros are known to agents only. Without them, a text that has one stands for itself.

        Raises:
            InvalidRequest: when the queue's owner does not let it; every place is named.
        """
        if self._queue.overridable == "nothing":
            self._check_choice(values)
        if not overrides:
            return
        self._check_whether_any()
        written = self._written(values, macros)
        laid_over = fill(self._resource.canonical(overrides), macros=macros)
        if problems := dict.fromkeys((*self._not_named(laid_over, written), *self._guarded(laid_over, written))):
            raise InvalidRequest(f"{self._what}: " + "; ".join(problems))

    def _check_choice(self, values: Mapping[str, Value]) -> None:
        variables = self._queue.template_variables
        if chosen := [name for name, variable in variables.items() if values.get(name) != variable.default]:
            names = ", ".join(chosen)
            raise InvalidRequest(f"{self._what} does not let a job choose its template variables; leave out {names}")

    def _check_whether_any(self) -> None:
        if self._queue.overridable in {"nothing", "variables"}:
            choose = ", ".join(self._queue.template_variables) if self._queue.overridable == "variables" else ""
            cure = f"choose with: {choose}" if choose else "leave them out, or ask its owner"
            raise InvalidRequest(f"{self._what} takes no overrides; {cure}")

    def _not_named(self, overrides: Mapping[str, Any], written: _Written) -> Iterator[str]:
        """A clause for each place that the overrides write and that the owner does not name."""
        if self._entries == [_EVERYTHING]:
            return
        for path, value in _walk(overrides, self._resource.named_lists):
            # To say again what the owner wrote changes nothing: an item's name, above all.
            is_write = not any(children(value)) and repr(written.places.get(path, ...)) != repr(value)
            if is_write and not any(_covers(entry, path) for entry in self._entries):
                named = ", ".join(to_pointer(entry) for entry in self._entries) or "nothing"
                yield f"a job may not override {to_pointer(path)!r}; it may override: {named}"

    def _guarded(self, overrides: Mapping[str, Any], written: _Written) -> Iterator[str]:
        """A clause for each guarded place that the overrides would change and that the owner does not name."""
        before = written.guarded
        after = self._leaves(merge(written.config, overrides, self._resource.named_lists))
        for path in dict.fromkeys((*before, *after)):
            if _is_same(before.get(path), after.get(path)):
                continue
            leaf = after.get(path) or before[path]
            if not any(_covers(entry, path) and _names(entry, leaf.depth) for entry in self._entries):
                place = to_pointer(path[: leaf.depth])
                cure = "the queue's owner can name it in 'overridable'"
                yield f"a job may not override {place!r}: {leaf.guard.why}; {cure}"

    @cached_property
    def _resource(self) -> Resource:
        return resources.load(self._queue.resource)

    @cached_property
    def _entries(self) -> list[Path]:
        """The places that the owner names, in the resource's own spelling."""
        if isinstance(self._queue.overridable, str):
            return [_EVERYTHING]
        return [self._spelled(from_pointer(place)) for place in self._queue.overridable]

    def _spelled(self, words: Path) -> Path:
        below: Any = None
        for word in reversed(words):
            below = {word: below}
        below = self._resource.canonical(below)
        path: list[str] = []
        for word in words:
            spelled, below = next(iter(below.items()))
            # What stands under a list of named things is the name of one, and nobody's to spell.
            path.append(word if path and path[-1] in self._resource.named_lists else spelled)
        return tuple(path)

    def _written(self, values: Mapping[str, Value], macros: Mapping[str, str] | None) -> _Written:
        # Launches in bulk mostly have the same values, or none.
        if self._last is None or self._last[0] != (values, macros):
            config = fill(self._resource.canonical(self._queue.config), variables=values, macros=macros)
            places = dict(_walk(config, self._resource.named_lists))
            self._last = (values, macros), _Written(config, places, self._leaves(config))
        return self._last[1]

    @cached_property
    def _guards(self) -> _Guards:
        return _Guards(self._resource.guarded)

    def _leaves(self, config: Mapping[str, Any]) -> dict[Path, _Leaf]:
        """The leaves in guarded places of a config."""
        found: dict[Path, _Leaf] = {}
        for path, value in _walk(config, self._resource.named_lists):
            if (guard := self._guards.of(path, value)) is not None:
                inside = [(path, value), *_walk(value, self._resource.named_lists, path)]
                here = {place: _Leaf(leaf, guard, len(path)) for place, leaf in inside if not any(children(leaf))}
                found = {**here, **found}  # what is inside a guarded place belongs to that one
        return found


def insecure(resource: Resource, config: Mapping[str, Any]) -> list[str]:
    """What an agent in secure mode refuses in a config, whoever wrote it: one clause for each place."""
    guards = _Guards(resource.insecure)
    places = _walk(resource.canonical(config), resource.named_lists)
    return [f"{to_pointer(path)}: {guard.why}" for path, value in places if value and (guard := guards.of(path, value))]


class _Guards:
    """Guards by the last names of their paths, since most places of a config have none."""

    def __init__(self, guards: Iterable[Guard]) -> None:
        self._by_name: dict[str, list[tuple[Path, Guard]]] = {}
        self._by_pattern: list[tuple[Path, Guard]] = []
        for guard in guards:
            pattern = from_pointer(guard.path)
            is_name = "*" not in pattern[-1]
            place = self._by_name.setdefault(pattern[-1], []) if is_name else self._by_pattern
            place.append((pattern, guard))

    def of(self, path: Path, value: Any) -> Guard | None:
        """The guard of a place that holds this value."""
        for pattern, guard in chain(self._by_name.get(path[-1], ()), self._by_pattern):
            if guard.only in (None, value) and _is_at(pattern, path):
                return guard
        return None


def _is_at(pattern: Path, path: Path) -> bool:
    if pattern[0] == ANY_DEPTH:
        pattern = pattern[1:]
        path = path[-len(pattern) :]
    return len(path) == len(pattern) and _covers(pattern, path)


def _covers(entry: Path, path: Path) -> bool:
    return len(entry) <= len(path) and all(fnmatchcase(part, one) for part, one in zip(path, entry, strict=False))


def _names(entry: Path, depth: int) -> bool:
    """Whether an entry goes as far as the guarded name, and writes it out."""
    return len(entry) >= depth and "*" not in entry[depth - 1]


def _is_same(one: _Leaf | None, other: _Leaf | None) -> bool:
    # By type too: 1 is not true.
    return one is not None and other is not None and repr(one.value) == repr(other.value)


def _walk(value: Any, named_lists: Mapping[str, str], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything in a config, with its place: items of a list of named things by their names."""
    named = items_by_name(value, named_lists.get(path[-1], "")) if path else None
    inside = ((str(name), item) for name, item in named.items()) if named else children(value)
    for name, item in inside:
        yield (*path, name), item
        yield from _walk(item, named_lists, (*path, name))
