"""What a queue config of resource `slurm` may say: `sbatch`'s long options by name, and variables for the jobs.

Source: sbatch(1) of Slurm 24.05. What an option's value may be, the cluster decides when a job is submitted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from broker_config.errors import did_you_mean
from broker_config.findings import Finding, error
from broker_config.pointers import to_pointer
from broker_config.resources.protocol import Guard

ENV = "env"
"""The one key that is no option: variables for every job of the queue; they come over a job's own."""

EXPORT = "export"
"""Names of variables of the agent that a job may see, with commas between them."""

OPTIONS = frozenset(
    {
        *("account", "acctg-freq", "batch", "bb", "bbf", "begin", "cluster-constraint", "constraint", "contiguous"),
        *("core-spec", "cores-per-socket", "cpu-freq", "cpus-per-gpu", "cpus-per-task", "deadline", "delay-boot"),
        *("dependency", "distribution", "exclude", "exclusive", "export", "extra", "extra-node-info", "gpu-bind"),
        *("gpu-freq", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres", "gres-flags", "hint"),
        *("hold", "kill-on-invalid-dep", "licenses", "mail-type", "mail-user", "mcs-label", "mem", "mem-bind"),
        *("mem-per-cpu", "mem-per-gpu", "mincpus", "network", "nice", "no-kill", "nodefile", "nodelist", "nodes"),
        *("ntasks", "ntasks-per-core", "ntasks-per-gpu", "ntasks-per-node", "ntasks-per-socket", "oom-kill-step"),
        *("overcommit", "oversubscribe", "partition", "power", "prefer", "priority", "profile", "propagate", "qos"),
        *("reboot", "reservation", "resv-ports", "signal", "sockets-per-node", "spread-job", "switches"),
        *("thread-spec", "threads-per-core", "time", "time-min", "tmp", "tres-bind", "tres-per-task"),
        *("use-min-nodes", "wait-all-nodes", "wckey"),
    }
)

REFUSED: Mapping[str, str] = {
    "array": "a run is one job; launch once for each of the array's tasks",
    "chdir": "a job starts in the run's own copy of the code",
    "clusters": "the jobs of other clusters are not listed here; start an agent on each",
    "comment": "it names the run and its request",
    "container": "a job runs in an environment on the file system that the nodes share",
    "error": "the output of a run is kept with its record",
    "export-file": "name the variables in env",
    "input": "a run reads nothing from a file that is not in its code",
    "job-name": "it names the run, by which its job is found again",
    "open-mode": "the output of a run is kept with its record",
    "output": "the output of a run is kept with its record",
    "requeue": "a job that started twice would be two attempts; let Launchyard try again, with the queue's retries",
    "test-only": "nothing would be run",
    "wait": "agents follow jobs by squeue",
    "wrap": "the command of a run is its entry point",
}
"""Options that would take from the target what it needs, and why."""

_NAMES = re.compile(r"[A-Za-z_]\w*(,[A-Za-z_]\w*)*")
_EVERYTHING = {"ALL", "NONE", "NIL"}


class SlurmResource:
    """Jobs run as the agent's own user: who pays for them, and which comes first, is kept from their overrides."""

    named_lists: ClassVar[Mapping[str, str]] = {}
    guarded: ClassVar[Sequence[Guard]] = (
        Guard("/account", "it says who pays for the job"),
        Guard("/export", "it shows the job more of the agent's environment"),
        Guard("/nice", "it puts the job before or behind those of others"),
        Guard("/priority", "it puts the job before or behind those of others"),
        Guard("/qos", "it gives the job other limits"),
        Guard("/reservation", "it gives the job nodes that are kept for somebody"),
    )
    insecure: ClassVar[Sequence[Guard]] = ()
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """`cpus_per_task` is `cpus-per-task`, as sbatch has it."""
        return {_spelled(key): value for key, value in config.items()}

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return [found for key, value in self.canonical(config).items() for found in _check(key, value)]


def _spelled(key: str) -> str:
    option = key.replace("_", "-")
    return option if option in OPTIONS or option in REFUSED else key


def _check(key: str, value: Any) -> list[Finding]:
    place = to_pointer((key,))
    if key == ENV:
        return _check_env(value)
    if key in REFUSED:
        return [error(place, f"{key!r} is not for a queue to say: {REFUSED[key]}")]
    if key not in OPTIONS:
        return [error(place, f"sbatch has no option {key!r}{_near(key)}")]
    if key == EXPORT:
        return _check_export(value)
    if not isinstance(value, str | int | float):
        return [error(place, f"{key!r} is text, a number, or true for an option without a value, as sbatch takes it")]
    return []


def _near(key: str) -> str:
    # All of them would be a page.
    near = did_you_mean(key, {*OPTIONS, ENV})
    return near if "mean" in near else "; `sbatch --help` names them, without the dashes"


def _check_env(value: Any) -> list[Finding]:
    if not isinstance(value, Mapping):
        return [error("/env", "'env' is an object: the variables by their names")]
    return [
        error(to_pointer((ENV, name)), f"variable {name!r} is text or a number")
        for name, text in value.items()
        if isinstance(text, bool) or not isinstance(text, str | int | float)
    ]


def _check_export(value: Any) -> list[Finding]:
    if isinstance(value, str) and _NAMES.fullmatch(value) and not _EVERYTHING & {*value.split(",")}:
        return []
    return [
        error(
            "/export",
            "'export' has names of variables of the agent, with commas between them; write a variable with its value "
            "in env, and name no more than the jobs may see",
        )
    ]
