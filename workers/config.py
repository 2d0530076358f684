"""The agent's configuration: `launch-config.yaml`, the environment and the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from broker_config.errors import ConfigError, InvalidRequest
from broker_config.frozen import Frozen, parse
from broker_config.queues import Name

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]

FILE_NAME = "launch-config.yaml"


class AgentConfig(Frozen):
    """What an agent may be told. Keys have W&B Launch's names and meanings."""

    queues: tuple[Name, ...] = ()
    """Queues to serve. `celery worker -Q` and `launchyard agent -q` replace them."""

    max_jobs: int = Field(default=1, ge=-1)
    """Most runs that this agent holds at once, builds included. -1: no limit."""

    stopped_run_timeout: float = Field(default=60.0, ge=0)
    """Seconds between asking a cancelled job to end and ending it by force."""

    lease_seconds: float = Field(default=30.0, ge=3)
    """How long this agent may be silent until others take its runs over."""

    macro_environment: tuple[EnvironmentName, ...] = ()
    """Variables of the agent's environment that stand for themselves as macros: `${NAME}` in the config of a queue."""

    builder: dict[str, Any] = Field(default_factory=dict)
    """What builds images: `type` and that builder's options. Absent: docker where it works, else noop."""

    venv: dict[str, Any] = Field(default_factory=dict)
    """Options of the environments that are made for local-process queues."""


def load_config(path: Path | None, home: Path, environ: Mapping[str, str] | None = None, **flags: Any) -> AgentConfig:
    """The configuration from flags, the environment, the file and the defaults; the first that says something wins.

    The environment is `LAUNCHYARD_QUEUES` (names with commas between) and `LAUNCHYARD_MAX_JOBS`. The file is `path`, or
    `LAUNCHYARD_LAUNCH_CONFIG`, or `launch-config.yaml` in the home folder if that exists. Flags that are None count as
    not given.

    Raises:
        ConfigError: when a named file is missing, or any source has an unknown key or a wrong value.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ["LAUNCHYARD_LAUNCH_CONFIG"]) if environ.get("LAUNCHYARD_LAUNCH_CONFIG") else None)
    merged = _read(named or home / FILE_NAME, required=named is not None)
    if queues := environ.get("LAUNCHYARD_QUEUES"):
        merged["queues"] = [name.strip() for name in queues.split(",")]
    if max_jobs := environ.get("LAUNCHYARD_MAX_JOBS"):
        merged["max_jobs"] = max_jobs
    merged.update({name: value for name, value in flags.items() if value is not None})
    try:
        return parse(AgentConfig, merged, f"agent config {named or home / FILE_NAME}")
    except InvalidRequest as error:
        raise ConfigError(str(error)) from error


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"agent config {path} does not exist") from None
        return {}
    except yaml.YAMLError as error:
        raise ConfigError(f"agent config {path} is not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"agent config {path} must be a mapping of keys, not a {type(content).__name__}")
    return content
