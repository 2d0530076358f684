"""Folders that live as long as one build, or until the next agent of this home sees that their agent has died."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = "building"
_LOCK = "lock"


class Scratch:
    """The folders of one home. A folder belongs to whoever holds the lock of the file in it, which death releases."""

    def __init__(self, home: Path) -> None:
        self._top = home / _FOLDER
        self._top.mkdir(parents=True, exist_ok=True)
        self._sweep()

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder that only this user may enter."""
        # Under the lock of all, or a sweep could come between the folder and its own lock.
        with self._locked():
            made = Path(tempfile.mkdtemp(dir=self._top))
            own = (made / _LOCK).open("w")
            fcntl.flock(own, fcntl.LOCK_EX)
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
            own.close()

    def _sweep(self) -> None:
        with self._locked():
            for folder in self._top.iterdir():
                if folder.is_dir() and _is_left(folder):
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._top / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_left(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
