"""The flags of `docker run` that a queue config may hold: where each goes in the body of a container create.

The names and their meaning are those of the docker CLI (its reference page `docker container run`), the places those
of the Engine API (`ContainerCreate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from broker_config.errors import did_you_mean
from broker_config.resources.docker import flag_values as values
from broker_config.resources.docker.flag_values import Scalar
from broker_config.resources.docker.mounts import mount

Body = dict[str, Any]
Flag = Callable[[Body, Sequence[Scalar]], None]
"""Writes all values of a flag into the body. Raises `ValueError` when they cannot work."""


def _section(body: Body, place: str) -> tuple[Body, str]:
    *sections, name = place.split(".")
    for section in sections:
        body = body.setdefault(section, {})
    return body, name


def _one(place: str, read: Callable[[Scalar], Any]) -> Flag:
    def write(body: Body, given: Sequence[Scalar]) -> None:
        if len(given) != 1:
            raise ValueError(f"it takes one value, not {len(given)}")
        section, name = _section(body, place)
        section[name] = read(given[0])

    return write


def _many(place: str, read: Callable[[Scalar], Any]) -> Flag:
    def write(body: Body, given: Sequence[Scalar]) -> None:
        section, name = _section(body, place)
        section.setdefault(name, []).extend(read(value) for value in given)

    return write


def _pairs(place: str, read: Callable[[Scalar], tuple[str, str]]) -> Flag:
    def write(body: Body, given: Sequence[Scalar]) -> None:
        section, name = _section(body, place)
        section.setdefault(name, {}).update(read(value) for value in given)

    return write


def _devices(body: Body, given: Sequence[Scalar]) -> None:
    host = body["container"]["HostConfig"]
    if named := [values.text(value) for value in given if values.is_cdi_device(value)]:
        host.setdefault("DeviceRequests", []).append({"Driver": "cdi", "DeviceIDs": named})
    if paths := [values.device(value) for value in given if not values.is_cdi_device(value)]:
        host.setdefault("Devices", []).extend(paths)


def _volumes(body: Body, given: Sequence[Scalar]) -> None:
    container = body["container"]
    for value in map(values.volume, given):
        if ":" in value:
            container["HostConfig"].setdefault("Binds", []).append(value)
        else:
            container.setdefault("Volumes", {})[value] = {}


def _ports(body: Body, given: Sequence[Scalar]) -> None:
    exposed = body["container"].setdefault("ExposedPorts", {})
    bindings = body["container"]["HostConfig"].setdefault("PortBindings", {})
    for inside, outside in map(values.port, given):
        exposed[inside] = {}
        bindings.setdefault(inside, []).append(outside)


def _entrypoint(body: Body, given: Sequence[Scalar]) -> None:
    if "Entrypoint" in body["container"]:
        raise ValueError("the job has an entry point of its own; take one of the two away")
    _one("container.Entrypoint", lambda value: [values.text(value)])(body, given)


def _host(name: str) -> str:
    return f"container.HostConfig.{name}"


FLAGS: Mapping[str, Flag] = {
    # what runs
    "entrypoint": _entrypoint,
    "env": _pairs("env", values.pair),
    "label": _pairs("container.Labels", values.label),
    "platform": _one("platform", values.text),
    "pull": _one("pull", values.one_of("always", "missing", "never")),
    "user": _one("container.User", values.text),
    "workdir": _one("container.WorkingDir", values.text),
    "stop-signal": _one("container.StopSignal", values.text),
    "init": _one(_host("Init"), values.boolean),
    "runtime": _one(_host("Runtime"), values.text),
    # memory and processors
    "memory": _one(_host("Memory"), values.size),
    "memory-swap": _one(_host("MemorySwap"), values.size_or_unlimited),
    "memory-reservation": _one(_host("MemoryReservation"), values.size),
    "shm-size": _one(_host("ShmSize"), values.size),
    "oom-score-adj": _one(_host("OomScoreAdj"), values.integer),
    "cpus": _one(_host("NanoCpus"), values.nano_cpus),
    "cpu-shares": _one(_host("CpuShares"), values.integer),
    "cpu-period": _one(_host("CpuPeriod"), values.integer),
    "cpu-quota": _one(_host("CpuQuota"), values.integer),
    "cpuset-cpus": _one(_host("CpusetCpus"), values.text),
    "cpuset-mems": _one(_host("CpusetMems"), values.text),
    "pids-limit": _one(_host("PidsLimit"), values.integer),
    "ulimit": _many(_host("Ulimits"), values.ulimit),
    # devices
    "gpus": _many(_host("DeviceRequests"), values.gpus),
    "device": _devices,
    # files
    "volume": _volumes,
    "mount": _many(_host("Mounts"), mount),
    "tmpfs": _pairs(_host("Tmpfs"), values.tmpfs),
    "read-only": _one(_host("ReadonlyRootfs"), values.boolean),
    # network
    "network": _one(_host("NetworkMode"), values.text),
    "publish": _ports,
    "hostname": _one("container.Hostname", values.text),
    "add-host": _many(_host("ExtraHosts"), values.host_entry),
    "dns": _many(_host("Dns"), values.text),
    "dns-search": _many(_host("DnsSearch"), values.text),
    # isolation
    "privileged": _one(_host("Privileged"), values.boolean),
    "cap-add": _many(_host("CapAdd"), values.text),
    "cap-drop": _many(_host("CapDrop"), values.text),
    "security-opt": _many(_host("SecurityOpt"), values.security_option),
    "group-add": _many(_host("GroupAdd"), values.text),
    "ipc": _one(_host("IpcMode"), values.text),
    "pid": _one(_host("PidMode"), values.text),
    "userns": _one(_host("UsernsMode"), values.text),
    "uts": _one(_host("UTSMode"), values.text),
    "cgroupns": _one(_host("CgroupnsMode"), values.text),
    "cgroup-parent": _one(_host("CgroupParent"), values.text),
    "sysctl": _pairs(_host("Sysctls"), values.pair),
    # output: only what the engine can read back to us
    "log-driver": _one(_host("LogConfig.Type"), values.one_of("json-file", "local", "journald")),
    "log-opt": _pairs(_host("LogConfig.Config"), values.pair),
}
"""By the flag's long name, without its dashes."""

ALIASES: Mapping[str, str] = {
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "net": "network",
    "p": "publish",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
"""Short flags, and the old name of one, with the long ones that they mean."""

_NO_TERMINAL = "a run has no terminal; its output is in its log"
_FILE = "it names a file of the agent's machine; list what it holds in the queue config instead"

REFUSED: Mapping[str, str] = {
    "name": "Launchyard names the container after the run, so that it is never run twice",
    "rm": "Launchyard removes the container when its end and its log were recorded",
    "detach": "every run is detached",
    "restart": "Launchyard alone repeats a run, as its retry policy says; two owners would run it twice",
    "interactive": _NO_TERMINAL,
    "tty": _NO_TERMINAL,
    "attach": _NO_TERMINAL,
    "sig-proxy": _NO_TERMINAL,
    "detach-keys": _NO_TERMINAL,
    "env-file": _FILE,
    "label-file": _FILE,
    "cidfile": "the container has the run's own name",
    "stop-timeout": "the grace of a cancelled run is set in the agent's config",
    "publish-all": "name the ports in publish",
    "command": "a job has its args; write them there",
    "image": "a job has its image; write it there",
}
"""Flags that could work for a person at a terminal, and why they cannot here."""


def given_flags(config: Mapping[str, Any]) -> dict[str, list[Scalar]]:
    """A queue config with one spelling for each flag and a list of values for each.

    Raises:
        ValueError: with a whole sentence, when a flag is unknown, refused, or has a value that no flag takes.
    """
    given: dict[str, list[Scalar]] = {}
    for key, value in config.items():
        given.setdefault(flag_of(key), []).extend(scalars(key, value))
    return given


def flag_of(key: str) -> str:
    """The long name of the flag that a key means.

    Raises:
        ValueError: when it is unknown or refused.
    """
    name = long_name(key)
    if name in REFUSED:
        raise ValueError(f"flag {key!r} cannot be set: {REFUSED[name]}")
    if name not in FLAGS:
        raise ValueError(f"flag {key!r} does not exist in docker run, or not here{_near(name)}")
    return name


def long_name(key: str) -> str:
    """The long name of a flag that is written short, or with `_` for `-`."""
    name = key.replace("_", "-")
    return ALIASES.get(name, name)


def _near(name: str) -> str:
    # The list of all flags would bury the message.
    hint = did_you_mean(name, FLAGS)
    return hint if hint.startswith("; did you mean") else ""


def scalars(key: str, value: Any) -> list[Scalar]:
    """The values of one flag.

    Raises:
        ValueError: when one is no value of a flag.
    """
    listed = list(value) if isinstance(value, list | tuple) else [value]
    for item in listed:
        if not isinstance(item, str | int | float):
            raise ValueError(
                f"flag {key!r} has a value that is {_kind(item)}; write a text, a number, true, or a list of these"
                + (', such as ["NAME=value"]' if isinstance(item, Mapping) else "")
            )
    return listed


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "an object" if isinstance(value, Mapping) else "a list"
