"""Object stores, by way of fsspec. Each kind has a module that knows its package and its errors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fsspec.core import url_to_fs

from broker_config.errors import ConfigError, NotFound, TemporaryError
from broker_config.places.protocol import Readable

_PART_BYTES = 16 * 1024 * 1024
"""What is held in memory of an upload. S3 takes 10,000 parts, and no part under 5 MiB but the last."""

_READ_BYTES = 4 * 1024 * 1024
"""What is asked for at once of a download."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Errors of a store's packages, and which of them are for somebody to put right."""

    all: tuple[type[Exception], ...]
    is_refusal: Callable[[Exception], bool]


class RemotePlace:
    """Objects below a bucket or container, or a prefix in it. An object is there when all of it has come."""

    def __init__(self, url: str, faults: Faults) -> None:
        self.url = url
        self._faults = faults
        with self._translated():
            # What others store and delete must be seen at once.
            self._files, self._root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)

    def put(self, name: str, file: Readable) -> None:
        with self._translated():
            try:
                with self._files.open(self._path(name), "wb", block_size=_PART_BYTES) as written:
                    shutil.copyfileobj(file, written, 1024 * 1024)
            except FileNotFoundError as error:
                raise ConfigError(f"{self.url} does not exist; create the bucket, or correct the URL") from error

    @contextmanager
    def open(self, name: str, offset: int = 0) -> Iterator[BinaryIO]:
        with (
            self._translated(),
            self._files.open(self._path(name), "rb", block_size=_READ_BYTES, cache_type="readahead") as file,
        ):
            file.seek(offset)
            yield file

    def exists(self, name: str) -> bool:
        with self._translated():
            try:
                self._files.info(self._path(name))
            except FileNotFoundError:
                return False
            return True

    def names(self) -> list[str]:
        with self._translated():
            try:
                # Azure's keeps its listings, whatever it is told.
                self._files.invalidate_cache()
                found = self._files.find(self._root, maxdepth=1)
            except FileNotFoundError:
                return []
            return [path.rpartition("/")[2] for path in found]

    def delete(self, name: str) -> None:
        with self._translated():
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(f"{self.url} has no such object") from error
        except self._faults.all as error:
            if self._faults.is_refusal(error):
                raise ConfigError(
                    f"{self.url} refuses: {_words(error)}; look at its name, and at this machine's credentials for it"
                ) from error
            raise TemporaryError(f"{self.url} fails now: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
