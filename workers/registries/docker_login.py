"""The credentials of `docker login`, as the docker CLI keeps them ("docker login: credential stores").

They are in its config file, or with the helper that the file names for a registry or for all.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError
from workers.registries.protocol import Login

HELPER_SECONDS = 20


def login_for(registry: str) -> Login | None:
    """The login at a registry, or None when there is none.

    Raises:
        ConfigError: when docker's config cannot be read, or its helper does not answer.
    """
    path = Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser() / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"docker's config {path} cannot be read: {error}") from error
    helper = (config.get("credHelpers") or {}).get(registry) or config.get("credsStore")
    if helper:
        return _from_helper(helper, registry)
    auths = config.get("auths") or {}
    return _decoded(auths.get(registry) or auths.get(f"https://{registry}") or {})


def _from_helper(helper: str, registry: str) -> Login | None:
    program = f"docker-credential-{helper}"
    try:
        answer = subprocess.run(
            [program, "get"], input=registry, capture_output=True, text=True, timeout=HELPER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"docker's credential helper {program} does not answer: {error}") from error
    if answer.returncode:
        # So a helper says that it has none.
        return None
    found = json.loads(answer.stdout)
    return Login(found["Username"], found["Secret"])


def _decoded(entry: dict[str, Any]) -> Login | None:
    try:
        user, _, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password) if user else None
