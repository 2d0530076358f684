"""The credentials of the agent's config, as git and ssh are told of them: where each secret is, never the secret."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import socket
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.oci.references import is_loopback
from workers.config.git import GitConfig, GitCredential

HTTPS_PORT = 443
SSH_PORT = 22
LOOK_SECONDS = 10.0

_SYSTEM = ("~/.ssh/config", "/etc/ssh/ssh_config")
"""What ssh would read by itself; the first word on an option wins."""


def options(config: GitConfig, folder: Path) -> tuple[str, ...]:
    """Options of the git program. What ssh is told is written to a file in the folder."""
    found: list[str] = []
    if config.credentials_file:
        command = f"git credential-store --file={shlex.quote(str(config.credentials_file))} get"
        found += ["-c", f"credential.helper={_helper(command)}"]
    for one in config.credentials:
        if one.password_env or one.password_file:
            found += _of_password(one)
    if any(one.ssh_key_file or one.known_hosts_file for one in config.credentials):
        path = _written(_ssh_config(config.credentials), folder)
        found += ["-c", f"core.sshCommand=ssh -oBatchMode=yes -F {shlex.quote(str(path))}"]
    return tuple(found)


def look(one: GitCredential) -> str:
    """One sentence on a credential: its secret is there, and its host can be reached.

    Raises:
        ConfigError: when one of them is not so.
    """
    if one.password_env and not os.environ.get(one.password_env):
        raise ConfigError(f"the variable {one.password_env} is not set; give the agent the password in it")
    for path in (one.password_file, one.ssh_key_file, one.known_hosts_file):
        if path and not os.access(path, os.R_OK):
            raise ConfigError(f"the file {path} cannot be read; correct its path or its mode")
    name, _, port = one.host.partition(":")
    default = HTTPS_PORT if one.password_env or one.password_file else SSH_PORT
    try:
        socket.create_connection((name, int(port or default)), LOOK_SECONDS).close()
    except OSError as error:
        raise ConfigError(
            f"port {port or default} does not answer: {error}; correct the host, or open the way"
        ) from error
    return f"answers on port {port or default}, and its credentials are there"


def _of_password(one: GitCredential) -> list[str]:
    """A credential helper for one host (gitcredentials(7)); those of the agent's user are not asked for it."""
    secret = f'"${one.password_env}"' if one.password_env else f'"$(cat {shlex.quote(str(one.password_file))})"'
    command = f"printf 'username=%s\\npassword=%s\\n' {shlex.quote(one.username)} {secret}"
    found = []
    for scheme in ("https", "http") if one.plain_http or is_loopback(one.host) else ("https",):
        name = f"credential.{scheme}://{one.host}.helper"
        found += ["-c", f"{name}=", "-c", f"{name}={_helper(command)}"]
    return found


def _helper(command: str) -> str:
    # git also calls it to store and to erase, which is not for this agent to do.
    return f'!f() {{ test "$1" = get && {command}; }}; f'


def _ssh_config(credentials: tuple[GitCredential, ...]) -> str:
    lines: list[str] = []
    for one in credentials:
        lines += [f"Host {one.host.partition(':')[0]}"]
        if one.ssh_key_file:
            lines += [f"  IdentityFile {_quoted(one.ssh_key_file)}", "  IdentitiesOnly yes"]
        if one.known_hosts_file:
            lines += [f"  UserKnownHostsFile {_quoted(one.known_hosts_file)}", "  StrictHostKeyChecking yes"]
    return "\n".join([*lines, "Host *", *(f"  Include {path}" for path in _SYSTEM)]) + "\n"


def _written(text: str, folder: Path) -> Path:
    """A file of that text, named by it: other processes of this home may have another config, or read it now."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"ssh-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    unfinished = folder / f"{path.name}-{secrets.token_hex(4)}"
    unfinished.write_text(text)
    return unfinished.replace(path)


def _quoted(path: Path) -> str:
    # A percent sign would begin a token (ssh_config(5)).
    return '"' + str(path).replace("%", "%%") + '"'
