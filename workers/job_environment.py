"""The variables that tell a job who it is."""

from __future__ import annotations

import json

from broker_config.jobs import GitSource
from broker_config.runs import Run
from workers.wandb import Wandb, in_parts

CONFIG_CHUNK = 128_000
"""Linux gives a process no variable of more than 131,071 bytes with its name (MAX_ARG_STRLEN, execve(2))."""


def job_environment(run: Run, wandb: Wandb) -> dict[str, str]:
    """W&B's variables, the job's own over them, and ours over all."""
    spec = run.spec
    return {
        **wandb.variables(run),
        **spec.job.env,
        "LAUNCHYARD_RUN_ID": spec.id,
        "LAUNCHYARD_RUN_NAME": spec.name,
        "LAUNCHYARD_PROJECT": spec.project,
        "LAUNCHYARD_ENTITY": spec.queue.entity,
        "LAUNCHYARD_AUTHOR": spec.author,
        "LAUNCHYARD_JOB": spec.job_version,
        "LAUNCHYARD_QUEUE": spec.queue.name,
        "LAUNCHYARD_PRIORITY": run.priority.label,
        "LAUNCHYARD_ATTEMPT": str(run.attempt),
        **_commit(run),
        **in_parts("LAUNCHYARD_CONFIG", json.dumps(spec.job.run_config, sort_keys=True), CONFIG_CHUNK),
    }


def _commit(run: Run) -> dict[str, str]:
    source = run.pinned_source
    if not isinstance(source, GitSource):
        return {}
    return {"LAUNCHYARD_GIT_REPOSITORY": source.repository, "LAUNCHYARD_GIT_COMMIT": source.ref or ""}
