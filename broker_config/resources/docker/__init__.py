"""Containers on the agent's Docker engine: a queue config holds flags of `docker run`.

What is guarded is what W&B Launch refuses since its release 0.28.1 whoever wrote it, less what touches nothing but the
container itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from broker_config.findings import Finding, error
from broker_config.placeholders import is_open
from broker_config.pointers import to_pointer
from broker_config.resources.docker.flag_values import Scalar
from broker_config.resources.docker.flags import FLAGS, Flag, flag_of, long_name, scalars
from broker_config.resources.protocol import Guard

_FILES = "it can show the job any folder of the machine"
_DEVICES = "it gives the job devices of the machine"
_NAMESPACE = "it can put the job into a namespace of the machine"
_POWERS = "it can give the job more rights on the machine than a container has"
_LIMITS = "it can take away a limit that protects other jobs of the machine"
_NETWORK = "it can reach networks of the machine, or be reached through its ports"

GUARDED: Mapping[str, str] = {
    **dict.fromkeys(("volume", "mount"), _FILES),
    "device": _DEVICES,
    **dict.fromkeys(("pid", "ipc", "uts", "userns", "cgroupns"), _NAMESPACE),
    **dict.fromkeys(("privileged", "cap-add", "cap-drop", "security-opt", "user", "group-add"), _POWERS),
    **dict.fromkeys(("runtime", "sysctl", "read-only"), _POWERS),
    **dict.fromkeys(("cgroup-parent", "oom-score-adj"), _LIMITS),
    **dict.fromkeys(("network", "publish"), _NETWORK),
}
"""Flags that a job may not set by itself, and why."""

INSECURE = ("privileged", "cap-add", "device", "pid", "ipc", "uts", "userns", "entrypoint")
_HOST = Guard("/network", _NETWORK, only="host")


class DockerResource:
    """Flags by their long names, without dashes before them."""

    named_lists: ClassVar[Mapping[str, str]] = {}
    guarded: ClassVar[Sequence[Guard]] = tuple(Guard(f"/{flag}", why) for flag, why in GUARDED.items())
    insecure: ClassVar[Sequence[Guard]] = (
        *(Guard(f"/{flag}", GUARDED.get(flag, "it replaces what the image starts")) for flag in INSECURE),
        _HOST,
    )
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        flags: dict[str, Any] = {}
        for key, value in config.items():
            flag = long_name(key)
            flags[flag] = [*_listed(flags[flag]), *_listed(value)] if flag in flags else value
        return flags

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return [finding for key, value in config.items() for finding in _check_flag(key, value)]


def _check_flag(key: str, value: Any) -> Iterator[Finding]:
    pointer = to_pointer((key,))
    try:
        flag = FLAGS[flag_of(key)]
        values = scalars(key, value)
    except ValueError as refusal:
        yield error(pointer, str(refusal))
        return
    # One by one, so that the item of a list is named that cannot work; then whether they can stand together.
    items = [(f"{pointer}/{place}", [one]) for place, one in enumerate(values)] if isinstance(value, list) else []
    for place, given in [*items, (pointer, values)]:
        problem = None if is_open(given) else _refusal(flag, given)
        if problem:
            yield error(place, problem)
            return


def _refusal(flag: Flag, given: Sequence[Scalar]) -> str | None:
    try:
        flag({"env": {}, "container": {"HostConfig": {}}}, given)
    except ValueError as problem:
        return str(problem)
    return None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
