"""The block `git` of the agent's config: what repositories are fetched with. It names secrets and holds none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from broker_config.frozen import Frozen
from broker_config.jobs import ENVIRONMENT_NAME


def _check_path(path: Path) -> Path:
    # They are written into git's and ssh's configs, which have no way to quote these.
    if any(character in str(path) for character in '"\n\r\0'):
        raise ValueError("a path here may have no quotation mark and no line break")
    return path.expanduser()


PlainPath = Annotated[Path, AfterValidator(_check_path)]


class GitCredential(Frozen):
    """How one host is asked: by a password or an access token over HTTPS, or by a key over SSH."""

    host: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?$")
    """Its name, with the port where URLs have one. SSH keys are chosen by the name alone."""

    username: str = Field(default="git", pattern=r"^[^\s'\\]+$")
    """For a password. Hosts of access tokens say what belongs here; most take any."""

    password_env: str | None = Field(default=None, pattern=rf"^{ENVIRONMENT_NAME.pattern}$")
    """Variable of the agent's environment with the password or access token."""

    password_file: PlainPath | None = None
    """File with it, read at each use, so that it may change."""

    plain_http: bool = False
    """Also give it to the host without TLS, as is done anyway on loopback."""

    ssh_key_file: PlainPath | None = None
    """Private key without a passphrase."""

    known_hosts_file: PlainPath | None = None
    """The host's keys, as sshd(8) describes. Absent: those of the agent's user."""

    @model_validator(mode="after")
    def _is_one_way(self) -> GitCredential:
        if self.password_env and self.password_file:
            raise ValueError("password_env and password_file both say where the password is; leave one out")
        if not (self.password_env or self.password_file or self.ssh_key_file or self.known_hosts_file):
            raise ValueError("it names no secret; write password_env, password_file or ssh_key_file")
        return self


class GitConfig(Frozen):
    """What git sources are told."""

    credentials: tuple[GitCredential, ...] = ()
    """Credentials by host. Others are asked with what the agent's user has."""

    credentials_file: PlainPath | None = None
    """File in the form of git-credential-store(1), as W&B's Helm chart makes one of `gitCreds`. It is only read."""

    cache_gib: float = Field(default=20.0, ge=0)
    """Most disk space of the fetched repositories that are kept. 0: none is kept."""
