"""The command lines of the processes behind `agent`, `up` and `demo`: the one place here that names Celery."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from broker_config.settings import Settings, environment_for

DEFAULT_AGENT_NAME = "agent"

_CELERY = (sys.executable, "-m", "celery", "-A", "workers")


@dataclass(frozen=True)
class AgentOptions:
    """What a command line says of an agent; None and empty ones leave it to the agent's config."""

    queues: Sequence[str] = ()
    entity: str | None = None  # an empty one is any
    max_jobs: int | None = None
    config: Path | None = None
    name: str | None = None
    log_file: Path | None = None
    verbosity: int = 0


def agent_arguments(options: AgentOptions) -> list[str]:
    """An agent. Settings are not among the arguments: they go through the environment."""
    name = options.name or DEFAULT_AGENT_NAME
    arguments = [*_CELERY, "--quiet", "worker", "--hostname", f"{name}@%h", "--loglevel", "INFO"]
    # Agents learn of each other through the store, so Celery's own chatter between workers is left out.
    arguments += ["--without-gossip", "--without-mingle"]
    if options.queues:
        arguments += ["-Q", ",".join(options.queues)]
    if options.verbosity:
        arguments += ["--verbosity", str(options.verbosity)]
    given = {
        "--entity": options.entity,
        "--max-jobs": options.max_jobs,
        "--launch-config": options.config and options.config.absolute(),
        "--logfile": options.log_file and options.log_file.absolute(),
    }
    return [*arguments, *(word for flag, value in given.items() if value is not None for word in (flag, str(value)))]


def recovery_arguments(resources: Sequence[str], queues: Sequence[str], dry_run: bool) -> list[str]:
    """The program that rebuilds records from what the targets have."""
    arguments = [sys.executable, "-m", "workers.recover"]
    for resource in resources:
        arguments += ["--resource", resource]
    for queue in queues:
        arguments += ["--queue", queue]
    return [*arguments, "--dry-run"] if dry_run else arguments


def check_arguments(options: AgentOptions, *, as_json: bool) -> list[str]:
    """A look at what an agent with these options needs."""
    arguments = [sys.executable, "-m", "workers.check", *(f"--queue={queue}" for queue in options.queues)]
    given = {"--entity": options.entity, "--launch-config": options.config and options.config.absolute()}
    arguments += [f"{flag}={value}" for flag, value in given.items() if value is not None]
    return [*arguments, "--json"] if as_json else arguments


def server_arguments(host: str, port: int) -> list[str]:
    """The server of the HTTP API."""
    return [sys.executable, "-m", "producer.server", host, str(port)]


def become(settings: Settings, arguments: list[str]) -> None:
    """Go on as that program."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Out of the caller's folder: modules there could stand before our own.
    os.chdir(settings.home)
    os.execve(arguments[0], arguments, environment_for(settings))


def flower_arguments(port: int) -> list[str]:
    """Flower, for this machine only. Its login goes through the environment."""
    columns = "--tasks-columns=uuid,state,kwargs,received,started,runtime,worker"
    return [*_CELERY, "flower", "--address=127.0.0.1", f"--port={port}", columns, "--logging=error"]
