"""A folder that producers and agents share, such as an NFS mount: `file:///mnt/shared/launchyard`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from broker_config.errors import ConfigError, NotFound, TemporaryError
from broker_config.places.protocol import Readable

_UNFINISHED = ".part"


class FolderPlace:
    """Files by their names. A file has its name once all of it is on the disk."""

    def __init__(self, url: str) -> None:
        """The folder need not exist; the one above it must, as a mount point that is not mounted is not written to."""
        parts = urlsplit(url)
        if parts.netloc or not parts.path.strip("/"):
            raise ConfigError(f"{url!r} is no folder of this machine; write file:///mnt/shared/launchyard")
        self.url = url
        self._folder = Path(unquote(parts.path))

    def put(self, name: str, file: Readable) -> None:
        unfinished = self._folder / f"{name}{_UNFINISHED}"
        with self._translated():
            self._folder.mkdir(exist_ok=True)
            with unfinished.open("wb") as written:
                shutil.copyfileobj(file, written, 1024 * 1024)
                written.flush()
                os.fsync(written.fileno())
            unfinished.replace(self._folder / name)

    @contextmanager
    def open(self, name: str, offset: int = 0) -> Iterator[BinaryIO]:
        with self._translated(), (self._folder / name).open("rb") as file:
            file.seek(offset)
            yield file

    def exists(self, name: str) -> bool:
        with self._translated():
            return (self._folder / name).is_file()

    def names(self) -> list[str]:
        with self._translated():
            if not self._folder.exists() and self._folder.parent.is_dir():
                return []
            return [file.name for file in self._folder.iterdir() if file.is_file() and file.suffix != _UNFINISHED]

    def delete(self, name: str) -> None:
        with self._translated():
            (self._folder / f"{name}{_UNFINISHED}").unlink(missing_ok=True)
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if self._folder.is_dir():
                raise NotFound(f"{self.url} has no {Path(error.filename or '').name!r}") from error
            raise ConfigError(f"{self.url} is not there; is the shared folder mounted on this machine?") from error
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise ConfigError(f"{self.url} cannot be used by this user: {error.strerror}") from error
        except OSError as error:
            raise TemporaryError(f"{self.url} fails now: {error}") from error
