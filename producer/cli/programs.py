"""The command lines of the processes behind `agent`, `up` and `demo`: the one place here that names Celery."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

DEFAULT_AGENT_NAME = "agent"

_CELERY = (sys.executable, "-m", "celery", "-A", "workers")


def agent_arguments(
    queues: Sequence[str], max_jobs: int | None = None, config: Path | None = None, name: str | None = None
) -> list[str]:
    """An agent. Settings are not among the arguments: they go through the environment."""
    arguments = [*_CELERY, "--quiet", "worker", "--hostname", f"{name or DEFAULT_AGENT_NAME}@%h", "--loglevel", "INFO"]
    # Agents learn of each other through the store, so Celery's own chatter between workers is left out.
    arguments += ["--without-gossip", "--without-mingle"]
    if queues:
        arguments += ["-Q", ",".join(queues)]
    if max_jobs is not None:
        arguments += ["--max-jobs", str(max_jobs)]
    if config is not None:
        arguments += ["--launch-config", str(config.absolute())]
    return arguments


def flower_arguments(port: int) -> list[str]:
    """Flower, for this machine only. Its login goes through the environment."""
    columns = "--tasks-columns=uuid,state,kwargs,received,started,runtime,worker"
    return [*_CELERY, "flower", "--address=127.0.0.1", f"--port={port}", columns, "--logging=error"]
