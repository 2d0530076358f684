"""The value of `docker run --mount`: comma-separated fields, each a name with a value or alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

from broker_config.errors import did_you_mean
from broker_config.resources.docker.flag_values import Scalar, boolean, one_of, size, text


def _octal(value: Scalar) -> int:
    try:
        return int(text(value), 8)
    except ValueError:
        raise ValueError(f"{value!r} is not an octal mode such as 1777") from None


def _absolute(value: Scalar) -> str:
    if not text(value).startswith("/"):
        raise ValueError(f"the target {value!r} must be an absolute path inside the container")
    return text(value)


_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}

_FIELDS: dict[str, tuple[str, Callable[[Scalar], Any]]] = {
    "type": ("Type", one_of("bind", "volume", "tmpfs")),
    "source": ("Source", text),
    "target": ("Target", _absolute),
    "readonly": ("ReadOnly", boolean),
    "bind-propagation": ("BindOptions.Propagation", text),
    "volume-nocopy": ("VolumeOptions.NoCopy", boolean),
    "tmpfs-size": ("TmpfsOptions.SizeBytes", size),
    "tmpfs-mode": ("TmpfsOptions.Mode", _octal),
}
"""By field of the flag: its place in the Engine API's `Mount`, and how it is read."""


def mount(value: Scalar) -> dict[str, Any]:
    """One mount in the Engine API's shape.

    Raises:
        ValueError: when a field is unknown or wrong, or there is no target.
    """
    made: dict[str, Any] = {"Type": "volume"}
    for part in next(csv.reader([text(value)])):
        name, equals, rest = part.partition("=")
        field = _ALIASES.get(name, name)
        if field not in _FIELDS:
            raise ValueError(f"{name!r} is not a field of a mount{did_you_mean(name, _FIELDS)}")
        place, read = _FIELDS[field]
        section, _, key = place.rpartition(".")
        (made.setdefault(section, {}) if section else made)[key] = read(rest if equals else True)
    if "Target" not in made:
        raise ValueError(f"{value!r} needs target=/path/inside")
    if made["Type"] == "bind" and not made.get("Source", "").startswith("/"):
        raise ValueError(f"{value!r} needs source=/path/on/the/host")
    return made
