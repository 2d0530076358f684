"""From a workload to the request: what `sbatch` is asked for, and what the job then does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from broker_config.states import FailureClass, Reason
from launchyard_slurm.resource import ENV, EXPORT, SlurmResource
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets.protocol import Request, Workload

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "LANG", "LC_ALL"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""Variables of the agent that every job sees. sbatch alone would give it all of them, the broker's password too."""


def render(workload: Workload) -> Request:
    """The request for a workload.

    Raises:
        RunFailed: class CONFIG, when the queue config is wrong or the job cannot run on a node as it is.
    """
    resource = SlurmResource()
    errors = [found for found in resource.check(workload.config) if found.is_error]
    if errors:
        raise _cannot_work("queue config of resource slurm: " + "; ".join(map(str, errors)))
    if workload.artifact.kind is not ArtifactKind.ENVIRONMENT or workload.folder is None:
        raise _cannot_work(
            f"the job brings an image, {workload.artifact.reference!r}, and a slurm queue runs code; launch from code "
            "or git"
        )
    if not workload.entry_point:
        raise _cannot_work('the job has no entry point; launch it with one, such as entry_point=["python", "train.py"]')
    config = resource.canonical(workload.config)
    of_queue = {name: _text(value) for name, value in config.pop(ENV, {}).items()}
    exported = config.pop(EXPORT, "").split(",")
    environment = workload.artifact.reference
    return Request(
        workload.name,
        {
            "command": workload.command,
            "folder": str(workload.folder),
            "environment": environment,
            # Output is read while the job runs, so Python must not keep it back.
            "env": {"PYTHONUNBUFFERED": "1", **workload.environment(of_queue), "VIRTUAL_ENV": environment},
            "export": [name for name in dict.fromkeys((*INHERITED, *workload.secrets, *exported)) if name],
            "options": _options(config),
        },
    )


def _options(config: Mapping[str, Any]) -> list[str]:
    """As sbatch takes them; false leaves one out."""
    return [
        f"--{name}" if value is True else f"--{name}={_text(value)}"
        for name, value in sorted(config.items())
        if value is not False
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cannot_work(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
