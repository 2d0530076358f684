"""Settings shared by producers and agents. This module and `workers.config.load` alone read the environment."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from broker_config import sentinels, signing
from broker_config.accounts.oidc import OidcSettings
from broker_config.errors import ConfigError, InvalidRequest
from broker_config.frozen import parse

PREFIX = "LAUNCHYARD_"
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", *sentinels.SCHEMES)


class Settings(OidcSettings):
    """Where the broker is, how long things are kept, and who may sign in.

    Each field is also the environment variable `LAUNCHYARD_<FIELD>` and a key of `settings.toml` in `home`.
    """

    home: Path = Path("~/.launchyard").expanduser()
    """Folder of everything that this machine keeps: the embedded broker's data, environments, runs, settings."""

    broker_url: str | None = None
    """`redis://[user:password@]host:port/db`, `rediss://` for TLS, or `redis+socket:///path`. None: embedded.

    Behind Sentinel: `sentinel://[user:password@]host:port,host:port/db?master=NAME`, `sentinels://` for TLS.
    """

    server_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    """The server to ask in the broker's place, for those who shall not reach the broker: `https://host`."""

    api_key: str | None = Field(default=None, repr=False)
    """Who asks there."""

    requests_per_minute: int = Field(default=6000, ge=1)
    """How many requests of one user or service account the server answers; more are told to wait."""

    flower_url: str | None = Field(default=None, pattern=r"^(https?://|/)\S*$")
    """Where Flower is for those at the server's page; None: the page has no link to it."""

    log_format: Literal["text", "json"] = "text"
    """How agents and the server write their logs: lines for people, or one JSON object a line."""

    broker_ca: Path | None = None
    """Certificate authority that signed the broker's certificate. None: the system's."""

    sentinel_password: str | None = None
    """What the sentinels ask for, where it is not the servers' own password. None: they ask for nothing."""

    min_replicas: int = Field(default=0, ge=0)
    """Replicas that must have a run before its enqueue returns, and before a job is submitted or released."""

    key_prefix: str = Field(default="launchyard:", pattern=r"^[A-Za-z0-9._-]+:$")
    """First part of every key of ours, so that two installations can share a broker's database with care."""

    retention_seconds: int = Field(default=14 * 24 * 3600, ge=60)
    """How long the record, events, logs and Celery result of a finished run are kept."""

    retention_runs: int | None = Field(default=None, ge=100)
    """Finished runs that are kept at most, whatever their age; agents drop the oldest. None: age alone counts."""

    history: str | None = Field(default=None, repr=False)
    """Where finished runs are kept when they leave the broker: `sqlite:///path/history.db` and other kinds.

    None: nowhere.
    """

    max_message_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Largest run (job, queue config and overrides as JSON) that may be enqueued."""

    max_code_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Largest code archive that the broker stores."""

    code_store: str | None = None
    """Where larger ones go: `file:///mnt/shared/folder`, `s3://bucket/folder`, `gs://bucket/folder` or `abfs://...`.

    None: nowhere, and the broker's limit is the limit.
    """

    max_stored_code_bytes: int = Field(default=4 * 1024**3, ge=1024)
    """Largest code archive that is put there."""

    author: str = Field(default_factory=getpass.getuser, min_length=1)
    """Who launches: a user or a service account."""

    signing_keys: str | None = Field(default=None, repr=False)
    """`NAME:BASE64,NAME:BASE64`: keys by which agents know what is meant. The first one signs what is launched.

    None: nothing is signed, and nothing has to be.
    """

    @field_validator("home")
    @classmethod
    def _home_is_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("code_store")
    @classmethod
    def _names_a_folder(cls, url: str | None) -> str | None:
        if not url:
            return None
        scheme, separator, path = url.partition("://")
        # It is stored with every archive and shown to everybody.
        if not (scheme and separator and path.strip("/")) or set("?#") & set(url) or ":" in path.partition("@")[0]:
            raise ValueError("write file:///mnt/shared/folder, s3://bucket/folder, gs:// or abfs://, without a secret")
        return url.rstrip("/")

    @field_validator("history")
    @classmethod
    def _names_a_kind(cls, url: str | None) -> str | None:
        if not url:
            return None
        if "://" not in url:
            # It may hold a password, so no error text repeats a part of it.
            raise ValueError("write sqlite:///path/history.db or postgresql://user:password@host/database")
        return url.rstrip("/")

    @field_validator("signing_keys")
    @classmethod
    def _are_keys(cls, keys: str | None) -> str | None:
        if not keys:
            return None
        signing.read_keys(keys)
        return keys

    @property
    def keyring(self) -> signing.Keyring | None:
        """The keys for signatures; None: there are none."""
        return signing.read_keys(self.signing_keys) if self.signing_keys else None

    @property
    def largest_code_bytes(self) -> int:
        """Largest code archive that can be launched."""
        return max(self.max_code_bytes, self.max_stored_code_bytes if self.code_store else 0)

    @field_validator("broker_url")
    @classmethod
    def _can_be_read(cls, url: str | None) -> str | None:
        if not url:
            return None
        # The URL may hold a password, so no error text repeats a part of it.
        if not url.startswith(tuple(f"{scheme}://" for scheme in BROKER_SCHEMES)):
            raise ValueError(
                "the broker URL must begin with redis://, rediss://, redis+socket://, sentinel:// or sentinels://"
            )
        if sentinels.read(url):
            return url
        if not _has_readable_address(url):
            raise ValueError(
                "the broker URL has no readable host, port or path after its scheme; "
                "write '/', '#', '?' and '@' in a password as %2F, %23, %3F and %40"
            )
        return url


def _has_readable_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        database = parts.path.strip("/")
        if parts.scheme == "redis+socket":
            return bool(database)
        return bool(parts.hostname and parts.port != 0) and not parts.fragment and (not database or database.isdigit())
    except ValueError:
        return False


_SETTINGS_VARIABLES = frozenset(PREFIX + field.upper() for field in Settings.model_fields)


def load_settings(environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Settings from flags, the environment, `settings.toml` in the home folder and the defaults, first wins.

    Flags that are None count as not given.

    Raises:
        ConfigError: when a source has an unknown key or a value of the wrong type.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in flags.items() if value is not None}
    from_environment = {
        field: environ[PREFIX + field.upper()] for field in Settings.model_fields if environ.get(PREFIX + field.upper())
    }
    home = Path(given.get("home") or from_environment.get("home") or Settings.model_fields["home"].default)
    merged = {**_read_file(home.expanduser() / "settings.toml"), **from_environment, **given, "home": home}
    try:
        return parse(Settings, merged, "settings")
    except InvalidRequest as error:
        raise ConfigError(str(error)) from error


def environment_for(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a child process that shall have these settings, with `more` variables.

    What a child must know in secret (a broker's password, a login) is given to it in this way: the environment of a
    process is for its owner's eyes only, its command line for everybody's.
    """
    given = {name: value for name, value in settings.model_dump(mode="json").items() if value is not None}
    return {**environment_for_others(), **{PREFIX + name.upper(): str(value) for name, value in given.items()}, **more}


def environment_for_others() -> dict[str, str]:
    """The environment for a program that is not ours, such as the build of a package: without settings and secrets."""
    return {name: value for name, value in os.environ.items() if name not in _SETTINGS_VARIABLES}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
