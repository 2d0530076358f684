"""Repositories that are kept on the agent's disk between runs, one for each URL."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.sources.git.program import Program
from workers.sources.git.repository import Repository

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS = 14 * 86_400
"""How long a repository is kept that nobody uses."""

MAX_PACKS = 50
"""Fetches after which a repository is fetched anew: each leaves a file that every later command has to look into."""


class Cache:
    """Repositories in a folder, bounded in size. Agents of one home share it: each repository has a lock."""

    def __init__(self, folder: Path, max_bytes: float, program: Program) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._program = program

    @contextmanager
    def repository(self, url: str) -> Iterator[Repository]:
        """The repository of a URL, which nobody else uses meanwhile. It may have to be begun."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        with self._locked(name, fcntl.LOCK_EX) as lock:
            yield Repository(self._folder / name, url, self._program)
            os.utime(lock)
        self._prune()

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[int]:
        # Another process or thread holds it as long as its git commands take, and each of these has a limit.
        # Its file is never removed: a removed one could be locked while another takes its place.
        lock = os.open(self._folder / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how)
            yield lock
        finally:
            os.close(lock)

    def _prune(self) -> None:
        """Remove what is too old or too scattered, and the repositories used longest ago while all are too large."""
        locks = sorted((lock.stat().st_mtime, lock) for lock in self._folder.glob("*.lock"))
        found = [(used, folder) for used, lock in locks if (folder := lock.with_suffix("")).exists()]
        sizes = {folder: _size(folder) for _, folder in found}
        for used, folder in found:
            is_scattered = len([*folder.glob("objects/pack/*.pack")]) > MAX_PACKS
            if sum(sizes.values()) > self._max_bytes or used < time.time() - MAX_AGE_SECONDS or is_scattered:
                self._remove(folder)
                del sizes[folder]

    def _remove(self, folder: Path) -> None:
        try:
            with self._locked(folder.name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            return  # Somebody uses it.
        logger.info("git-cache-pruned %s", folder.name)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except FileNotFoundError:
            continue  # Another process fetches or prunes.
    return total
