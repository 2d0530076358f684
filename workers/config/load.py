"""Where the agent's configuration comes from, and which source wins.

This module and `broker_config.settings` alone read the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError, InvalidRequest
from broker_config.texts import Document, read_file
from workers.config.agent import AgentConfig
from workers.config.blocks import parse_config
from workers.config.former import modernized
from workers.config.images import CLOUDS

FILE_NAME = "launch-config.yaml"
WANDB_FILE = Path("~/.config/wandb/launch-config.yaml")
"""Where W&B Launch has its file; taken when there is none of ours."""

FILE_VARIABLE = "LAUNCHYARD_LAUNCH_CONFIG"

VARIABLES = {
    "LAUNCHYARD_QUEUES": "queues",
    "LAUNCHYARD_MAX_JOBS": "max_jobs",
    "LAUNCHYARD_ENTITY": "entity",
    "LAUNCHYARD_START_TIMEOUT": "start_timeout",
}
"""Variables that stand for a key of the file."""

WANDB_VARIABLES = {
    "WANDB_ENTITY": "entity",
    "WANDB_LAUNCH_MAX_JOBS": "max_jobs",
    "WANDB_LAUNCH_START_TIMEOUT": "start_timeout",
}
"""W&B Launch's own; ours win over them."""

KANIKO_VARIABLES = {
    "WANDB_LAUNCH_KANIKO_PVC_NAME": "context_volume",
    "WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH": "context_volume_path",
    "WANDB_LAUNCH_KANIKO_AUTH_SECRET": "docker_config_secret",
    "WANDB_LAUNCH_SERVICE_ACCOUNT_NAME": "service_account",
}
"""Where the helm chart of W&B Launch says what its kaniko builder uses; the keys of the file win over them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, and what an operator should know of how it came about."""

    config: AgentConfig
    path: Path | None  # of the file that was read
    notes: tuple[str, ...]


def load_config(path: Path | None, home: Path, environ: Mapping[str, str] | None = None, **flags: Any) -> Loaded:
    """The configuration from flags, the environment, the file and the defaults; the first that says something wins.

    The file is `path`, or `LAUNCHYARD_LAUNCH_CONFIG`, or `launch-config.yaml` in the home folder if that exists, or
    W&B Launch's own. Flags that are None count as not given, and an empty entity is any.

    Raises:
        ConfigError: when a named file is missing, or any source has an unknown key or a wrong value.
    """
    environ = os.environ if environ is None else environ
    found = _find(path, home, environ)
    document = _read(found) if found else None
    config, former = modernized(document.object if document else {})
    notes = [f"{document.place(note.pointer)}: {note.text}" for note in former] if document else []
    if found == WANDB_FILE.expanduser():
        notes.insert(0, f"the config is W&B Launch's own, {found}, since there is no {home / FILE_NAME}")
    # A key that two variables name has the last one's value.
    variables = {key: name for name, key in {**WANDB_VARIABLES, **VARIABLES}.items() if environ.get(name)}
    for key, name in variables.items():
        config[key] = environ[name].replace(" ", "").split(",") if key == "queues" else environ[name]
        if name in WANDB_VARIABLES:
            notes.append(f"{key} is {environ[name]}, as {name} in the environment says")
    notes += _told_kaniko(config, environ)
    config.update({key: value for key, value in flags.items() if value is not None})
    if not config.get("entity"):
        config.pop("entity", None)
    parsed = parse_config(config, document)
    registry = parsed.destination
    if parsed.environment and (registry is None or CLOUDS.get(registry.type) != parsed.environment.type):
        notes.append(f"environment {parsed.environment.type} has no effect: no image goes to a registry of that cloud")
    return Loaded(parsed, found, tuple(notes))


def _told_kaniko(config: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Fill the block of the kaniko builder with what variables say; returns what was filled."""
    builder = config.get("builder")
    if not isinstance(builder, dict) or builder.get("type") != "kaniko":
        return []
    told = {
        key: name
        for name, key in KANIKO_VARIABLES.items()
        if environ.get(name) and not {key, key.replace("_", "-")} & builder.keys()
    }
    config["builder"] = {**builder, **{key: environ[name] for key, name in told.items()}}
    return [f"builder.{key} is {environ[name]}, as {name} in the environment says" for key, name in told.items()]


def _find(path: Path | None, home: Path, environ: Mapping[str, str]) -> Path | None:
    named = path or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    places = (home / FILE_NAME, WANDB_FILE.expanduser())
    return named or next((place for place in places if place.exists()), None)


def _read(path: Path) -> Document:
    try:
        document = read_file(str(path), "agent config")
        # Asked here, where what is no object at all becomes a config error.
        _ = document.object
    except InvalidRequest as error:
        raise ConfigError(str(error)) from error
    return document
