"""How a build's code gets to kaniko, as an archive: on a volume, through a store of objects, or in a ConfigMap."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from broker_config.errors import ConfigError
from broker_config.places import open_place
from broker_config.places.protocol import Place
from broker_config.states import FailureClass, Reason
from workers.config.kaniko import KanikoBuilderConfig
from workers.failures import RunFailed
from workers.images.recipe import Recipe

INPUT = "/kaniko/launchyard"
"""Where a build's ConfigMap is mounted. Nothing below /kaniko comes into an image."""

CONFIG_MAP_BYTES = 900 * 1024
"""Of the archive. A ConfigMap holds 1 MiB; the rest is for the Dockerfile."""

_ARCHIVE = "context.tar.gz"
_VOLUME = "/kaniko/launchyard-context"
_IN_MEMORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Context:
    """Where kaniko finds a build's archive, and what its pod needs for that."""

    address: str
    files: Sequence[str] = ()  # that come with the build's ConfigMap
    volumes: Sequence[Mapping[str, Any]] = ()
    mounts: Sequence[Mapping[str, Any]] = ()


class Contexts:
    """The way that the config chose: the volume before the store, and without either a ConfigMap."""

    def __init__(self, config: KanikoBuilderConfig) -> None:
        """Raises `ConfigError` when what a store needs is not installed here."""
        self._claim = config.context_volume
        self._url = config.build_context_store
        self._place: Place | None = None
        if config.context_volume_path is not None:
            self._place = open_place(config.context_volume_path.absolute().as_uri())
        elif self._url is not None:
            self._place = open_place(_place_url(self._url))

    def of(self, name: str) -> Context:
        """Where the archive of the build of that name is, or will be."""
        if self._claim:
            claim = {"claimName": self._claim, "readOnly": True}
            return Context(
                f"tar://{_VOLUME}/{_object(name)}",
                volumes=[{"name": "context", "persistentVolumeClaim": claim}],
                mounts=[{"name": "context", "mountPath": _VOLUME, "readOnly": True}],
            )
        if self._url:
            return Context(f"{self._url.rstrip('/')}/{_object(name)}")
        return Context(f"tar://{INPUT}/{_ARCHIVE}", files=[_ARCHIVE])

    def send(self, name: str, recipe: Recipe) -> Mapping[str, bytes]:
        """Pack the code and put it in its place; returns what is to come with the ConfigMap.

        Raises:
            RunFailed: class CONFIG, when its place refuses it, or it is too large for a ConfigMap and has no place.
            TemporaryError: when it could not be put there now.
        """
        with _packed(recipe) as archive:
            if self._place is not None:
                _put(self._place, _object(name), archive)
                return {}
            size = archive.seek(0, os.SEEK_END)
            if size > CONFIG_MAP_BYTES:
                raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, _too_large(size))
            archive.seek(0)
            return {_ARCHIVE: archive.read()}

    def drop(self, name: str) -> None:
        """Delete the archive. Raises `ConfigError` or `TemporaryError` when that is not possible."""
        if self._place is not None:
            self._place.delete(_object(name))


def _put(place: Place, name: str, archive: BinaryIO) -> None:
    try:
        place.put(name, archive)
    except ConfigError as error:
        text = f"the code cannot be put where kaniko fetches it: {error}"
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text) from error


def _place_url(store: str) -> str:
    """A store as its place is named: https://ACCOUNT.blob.core.windows.net/CONTAINER is abfs://CONTAINER@ACCOUNT..."""
    parts = urlsplit(store)
    if parts.scheme != "https":
        return store
    account = parts.netloc.partition(".")[0]
    container, _, path = parts.path.strip("/").partition("/")
    return f"abfs://{container}@{account}.dfs.core.windows.net/{path}".rstrip("/")


def _object(name: str) -> str:
    return f"{name}.tar.gz"


def _too_large(size: int) -> str:
    return (
        f"the job's code is {size / 1024:.0f} KiB, compressed, and {CONFIG_MAP_BYTES // 1024} KiB go to kaniko without "
        "a place for them; write builder.build-context-store or builder.context-volume in the agent's config, or leave "
        "files out with .launchyardignore"
    )


@contextmanager
def _packed(recipe: Recipe) -> Iterator[BinaryIO]:
    leave_out = _surely_ignored(recipe.ignored)

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return None if leave_out(PurePosixPath(info.name)) else info

    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spooled:
        file = cast(BinaryIO, spooled)
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
            tar.add(recipe.folder, arcname=".", filter=entry)
        file.seek(0)
        yield file


def _surely_ignored(patterns: Sequence[str]) -> Callable[[PurePosixPath], bool]:
    """Which paths need not be sent. Kaniko has all patterns, and decides the rest."""
    if any(pattern.startswith("!") for pattern in patterns):
        patterns = ()
    plain = {pattern.strip("/") for pattern in patterns}
    names = [pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")]
    anywhere = [name for name in names if "/" not in name]
    return lambda path: str(path) in plain or any(path.match(name) for name in anywhere)
