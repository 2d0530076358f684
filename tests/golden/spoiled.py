"""Good configs with something else in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, "", "text", "${image_uri}"),
    *([], {}, [None], ["text"], [{}], [[{}]], {"name": 1}, {"text": {}}, [{"name": "text"}]),
)


def spoiled(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A config with every odd value in every place."""
    for path in _places(config):
        for value in ODD_VALUES if path else ():
            yield _replaced(config, path, value)


def _places(data: Any) -> list[tuple[Any, ...]]:
    """The paths of everything in data, the whole first."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [(), *((key, *below) for key, value in items for below in _places(value))]


def _replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Data with another value at one place."""
    if not path:
        return value
    copy = list(data) if isinstance(data, list) else dict(data)
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copy
