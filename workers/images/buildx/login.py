"""The login of a push, for one call of buildx: docker's config as the agent has it, and this login in addition."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError
from broker_config.oci.logins import Login, docker_config
from broker_config.oci.references import host_of

_CONFIG = "config.json"


def login_environment(folder: Path, reference: str, login: Login | None) -> Mapping[str, str]:
    """Make docker's config folder for a call that pushes, in a private folder; returns what makes docker read it.

    Without a login, docker's own config is all there is.

    Raises:
        ConfigError: when the agent's own docker config cannot be read.
    """
    if login is None:
        return {}
    own = Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser()
    made = folder / "docker-config"
    made.mkdir(mode=0o700)
    # Contexts, certificates and the CLI's plug-ins are there too.
    for entry in own.iterdir() if own.is_dir() else ():
        if entry.name != _CONFIG:
            (made / entry.name).symlink_to(entry.resolve())
    config, auths = _read(own / _CONFIG), docker_config({host_of(reference): login})["auths"]
    config["auths"] = {**(config.get("auths") or {}), **auths}
    # A store for all registries would be asked before the file; an empty name stands for the file.
    config["credHelpers"] = {**(config.get("credHelpers") or {}), **dict.fromkeys(auths, "")}
    # Made for its owner alone before there is a word in it.
    (made / _CONFIG).touch(mode=0o600)
    (made / _CONFIG).write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(made)}


def with_own_environment(laid_over: Mapping[str, str]) -> Mapping[str, str]:
    """What docker and its plug-ins get to see: the agent's own environment, for proxies and contexts, and more."""
    return {**os.environ, **laid_over}


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"docker's config {path} cannot be read: {error}; mend it, or run docker login anew"
        ) from error
    return config if isinstance(config, dict) else {}
