"""The values of `docker run`'s flags, read as the docker CLI reads them.

Each function takes one value and returns JSON data in the Engine API's shape. A value that cannot work raises
`ValueError` with a sentence that goes on from "flag 'x': ".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

Scalar = str | int | float | bool

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([bkmgtp]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_CDI_DEVICE = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+=\S+")
_DEVICE_RIGHTS = re.compile(r"[rwm]{1,3}")
_PORT = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:]+\]|\d+(?:\.\d+){3}):)?(?:(?P<host>\d*):)?(?P<port>\d+)(?:/(?P<kind>tcp|udp|sctp))?"
)
_VOLUME_NAME = re.compile(r"[A-Za-z0-9][\w.-]+")
_UNLIMITED = -1


def text(value: Scalar) -> str:
    """Any value that is not a bare flag."""
    if isinstance(value, bool):
        raise ValueError("it needs a value, not true or false")
    return str(value)


def integer(value: Scalar) -> int:
    """A whole number; -1 is docker's word for no limit."""
    try:
        return int(text(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a whole number") from None


def boolean(value: Scalar) -> bool:
    """True, false, or one of these words, which is what a template variable leaves."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "false": False}
    if str(value).lower() not in words:
        raise ValueError(f"{value!r} is neither true nor false")
    return words[str(value).lower()]


def size(value: Scalar) -> int:
    """Bytes; a suffix b, k, m, g, t or p counts in powers of 1024."""
    match = _SIZE.fullmatch(text(value))
    if match is None:
        raise ValueError(f"{value!r} is not a size; write bytes, or a number with k, m or g, such as '2g'")
    return int(Decimal(match[1]) * 1024 ** _POWERS[match[2].lower()])


def size_or_unlimited(value: Scalar) -> int:
    """A size, or -1."""
    return _UNLIMITED if text(value) == str(_UNLIMITED) else size(value)


def nano_cpus(value: Scalar) -> int:
    """CPUs, with a fraction if wanted, in billionths."""
    try:
        cpus = Decimal(text(value))
    except InvalidOperation:
        cpus = Decimal("NaN")
    if not cpus.is_finite() or cpus <= 0:
        raise ValueError(f"{value!r} is not a number of CPUs, such as 2 or 0.5")
    return int(cpus * 10**9)


def one_of(*words: str) -> Callable[[Scalar], str]:
    """A reader for one of these words."""

    def read(value: Scalar) -> str:
        if text(value) not in words:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return text(value)

    return read


def pair(value: Scalar) -> tuple[str, str]:
    """`NAME=value`, as in `env` and `label`."""
    name, equals, rest = text(value).partition("=")
    if not name or not equals:
        # The docker CLI would take the value from its own environment, which differs from agent to agent.
        raise ValueError(f"{value!r} must be NAME=value")
    return name, rest


def label(value: Scalar) -> tuple[str, str]:
    """`NAME=value`, or a name alone; names that begin with `launchyard.` are ours."""
    name, _, rest = text(value).partition("=")
    if not name or name.startswith("launchyard."):
        raise ValueError(f"{value!r}: a label needs a name, and those that begin with 'launchyard.' are taken")
    return name, rest


def host_entry(value: Scalar) -> str:
    """`NAME:address` or `NAME=address`, of `add-host`."""
    match = re.fullmatch(r"([^=:]+)[=:](.+)", text(value))
    if match is None:
        raise ValueError(f"{value!r} must be NAME:address")
    return f"{match[1]}:{match[2]}"


def tmpfs(value: Scalar) -> tuple[str, str]:
    """`/path` or `/path:options`."""
    path, _, options = text(value).partition(":")
    if not path.startswith("/"):
        raise ValueError(f"{value!r} must be an absolute path inside the container, with ':options' after it or not")
    return path, options


def ulimit(value: Scalar) -> dict[str, Any]:
    """`name=soft` or `name=soft:hard`."""
    match = re.fullmatch(r"([a-z]+)=(-?\d+)(?::(-?\d+))?", text(value))
    if match is None:
        raise ValueError(f"{value!r} must be NAME=soft or NAME=soft:hard, such as 'nofile=1024:2048'")
    return {"Name": match[1], "Soft": int(match[2]), "Hard": int(match[3] or match[2])}


def security_option(value: Scalar) -> str:
    """A security option; profiles in files are refused, since they would have to be the same on every agent."""
    option = text(value)
    if option.startswith(("seccomp=", "seccomp:")) and option[8:] not in {"unconfined", "builtin"}:
        raise ValueError(f"{value!r} names a file of the agent's machine; use seccomp=unconfined or seccomp=builtin")
    if option.startswith("systempaths"):
        raise ValueError(f"{value!r} is not supported; use privileged for a job that needs the host's /proc and /sys")
    return option


def is_cdi_device(value: Scalar) -> bool:
    """Whether a device is named in the Container Device Interface's way, as in `nvidia.com/gpu=0`."""
    return _CDI_DEVICE.fullmatch(text(value)) is not None


def device(value: Scalar) -> dict[str, str]:
    """`/dev/host`, `/dev/host:/dev/inside` or either with `:rwm` rights."""
    parts = text(value).split(":")
    rights = parts.pop() if len(parts) > 1 and _DEVICE_RIGHTS.fullmatch(parts[-1]) else "rwm"
    if len(parts) > 2 or not all(part.startswith("/") for part in parts):
        raise ValueError(
            f"{value!r} must be a device such as /dev/fuse, /dev/fuse:/dev/fuse:rwm or vendor.com/class=name"
        )
    return {"PathOnHost": parts[0], "PathInContainer": parts[-1], "CgroupPermissions": rights}


def gpus(value: Scalar) -> dict[str, Any]:
    """`all`, a number, or `device=0,1` with `capabilities=`, `driver=` and `count=` beside it."""
    fields: dict[str, list[str]] = {}
    name = ""
    for part in next(csv.reader([text(value)])):
        # Inside quotes a field has its own commas ("device=0,1"); without quotes what follows belongs to it as well.
        key, equals, rest = part.partition("=")
        if equals:
            name = key
        elif not name:
            name, rest = "count", part
        else:
            rest = part
        fields.setdefault(name, []).extend(rest.split(","))
    unknown = fields.keys() - {"count", "device", "driver", "capabilities"}
    if unknown or ("count" in fields and "device" in fields):
        raise ValueError(f"{value!r} must be 'all', a number, or 'device=0,1'")
    request: dict[str, Any] = {"Capabilities": [[*fields.get("capabilities", []), "gpu"]]}
    if "driver" in fields:
        request["Driver"] = fields["driver"][0]
    if "device" in fields:
        return {**request, "DeviceIDs": fields["device"]}
    count = fields.get("count", ["1"])[0]
    return {**request, "Count": _UNLIMITED if count == "all" else integer(count)}


def volume(value: Scalar) -> str:
    """`/host:/inside[:options]`, `name:/inside[:options]`, or `/inside` alone for an anonymous volume."""
    parts = text(value).split(":")
    inside = parts[1] if len(parts) > 1 else parts[0]
    source = parts[0]
    if len(parts) > 3 or not inside.startswith("/") or not (source.startswith("/") or _VOLUME_NAME.fullmatch(source)):
        # The docker CLI resolves a relative path against its own folder, which an agent does not have.
        raise ValueError(
            f"{value!r} must be /host/path:/path[:ro], volume-name:/path[:ro] or /path, with absolute paths"
        )
    return text(value)


def port(value: Scalar) -> tuple[str, dict[str, str]]:
    """`[ip:][host-port:]port[/protocol]`: the container's port with its protocol, and what it is bound to."""
    match = _PORT.fullmatch(text(value))
    if match is None:
        raise ValueError(f"{value!r} must be [ip:][host-port:]port[/tcp|/udp]; ranges are written as several ports")
    ip = (match["ip"] or "").strip("[]")
    return f"{match['port']}/{match['kind'] or 'tcp'}", {"HostIp": ip, "HostPort": match["host"] or ""}
