"""Places in a config: JSON Pointers (RFC 6901), and the walk over everything that a config holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
"""A place in a config, from the outside in. An item of a list is named by its number."""


def to_pointer(path: Path) -> str:
    """The JSON Pointer of a place."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def from_pointer(pointer: str) -> Path:
    """The place that a JSON Pointer names.

    Raises:
        ValueError: when it does not begin with `/`.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no path in a config; begin it with '/', as in '/spec/replicas'")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def children(value: Any) -> Iterator[tuple[str, Any]]:
    """What stands directly inside an object or a list."""
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from ((str(place), item) for place, item in enumerate(value))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every text, number, boolean and null with its place; an empty object or list is a leaf too."""
    inside = list(children(value))
    if not inside:
        yield path, value
    for name, item in inside:
        yield from leaves(item, (*path, name))


def keys(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every key of every object, with the place of what it names."""
    for name, item in children(value):
        if isinstance(value, Mapping):
            yield (*path, name), name
        yield from keys(item, (*path, name))
