"""What an agent has to be allowed at a queue's platform, asked before there is a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from broker_config.runs import RunSpec
from workers.clouds import target_of
from workers.config import AgentConfig
from workers.planned import planned_workload
from workers.targets.protocol import Permissions, Permitted
from workers.wandb import from_environment

ENTRY_POINT = ("python",)
"""Stands in for that of a job: without one it gets no secrets, and those may need rights too."""


def permissions(spec: RunSpec, config: AgentConfig, home: Path) -> Permissions | None:
    """What an agent of this environment needs for such a run; None where the platform has no rights of that kind.

    Raises:
        RunFailed, InvalidRequest: when the queue's config cannot work.
        TemporaryError: when the platform does not say.
        ConfigError: when this machine has no way to it.
    """
    target = target_of(config, spec.queue.resource, home)
    if not isinstance(target, Permitted):
        return None
    planned = planned_workload(spec, target.artifact)
    workload = replace(planned, entry_point=ENTRY_POINT, secrets=from_environment().secrets)
    return target.permissions(target.render(workload))
