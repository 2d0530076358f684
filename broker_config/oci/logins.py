"""Logins at registries, and those that `docker login` has left ("docker login: credential stores").

They are in the config file of the docker CLI, or with the helper that the file names for a registry or for all.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError
from broker_config.oci.references import DOCKER_HUB

HELPER_SECONDS = 20

HUB_NAME = "https://index.docker.io/v1/"
"""Docker Hub in docker's config."""

TOKEN_USER = "<token>"
"""A helper's name for the user whose password is an identity token."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user and the password, or the token that stands for one."""

    user: str
    password: str = field(repr=False)
    is_identity_token: bool = False  # the password is an OAuth2 refresh token, and there is no user

    @property
    def for_engine(self) -> dict[str, str]:
        """As docker's engine takes it ("Docker Engine API": authentication)."""
        if self.is_identity_token:
            return {"identitytoken": self.password}
        return {"username": self.user, "password": self.password}

    @property
    def basic(self) -> str:
        """User and password in one word, as in HTTP's basic authentication."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def docker_config(logins: Mapping[str, Login]) -> dict[str, Any]:
    """A config file of docker with these logins, by host: what builders, and pull secrets of Kubernetes, read."""
    return {"auths": {_name_of(host): _entry(login) for host, login in logins.items()}}


def docker_login(host: str) -> Login | None:
    """The login of this process's user at a registry, or None when there is none.

    Raises:
        ConfigError: when docker's config cannot be read, or its helper does not answer.
    """
    path = Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser() / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        auths, helpers = config.get("auths") or {}, config.get("credHelpers") or {}
        name = _name_of(host)
        helper = helpers.get(name) or helpers.get(host) or config.get("credsStore")
        if helper and (found := _from_helper(helper, name)):
            return found
        # Older versions of docker wrote the registry's URL.
        names = (name, host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
        return _decoded(next((auths[one] for one in names if one in auths), {}))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"docker's config {path} cannot be read: {error}; mend it, or run docker login anew"
        ) from error


def _name_of(host: str) -> str:
    return HUB_NAME if host == DOCKER_HUB else host


def _from_helper(helper: str, name: str) -> Login | None:
    program = f"docker-credential-{helper}"
    try:
        answer = subprocess.run(
            [program, "get"], input=name, capture_output=True, text=True, timeout=HELPER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"docker's credential helper {program} does not answer: {error}; install it for the agent's user, or take "
            "it out of docker's config"
        ) from error
    if answer.returncode:
        # So a helper says that it has none.
        return None
    try:
        found = json.loads(answer.stdout)
        user, secret = found["Username"], found["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        # Its answer is not repeated: it may hold the password.
        raise ConfigError(f"docker's credential helper {program} gives no login for {name}: no such JSON") from error
    return Login(user, secret, is_identity_token=user == TOKEN_USER) if secret else None


def _entry(login: Login) -> dict[str, str]:
    if login.is_identity_token:
        return {"identitytoken": login.password}
    return {"auth": login.basic}


def _decoded(entry: dict[str, Any]) -> Login | None:
    if token := entry.get("identitytoken"):
        return Login(TOKEN_USER, token, is_identity_token=True)
    try:
        user, _, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password.rstrip("\0")) if user else None
