"""The folder of one submitted process: what the supervisor and all agents of this machine know of it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from workers.targets.local_process import supervisor
from workers.targets.protocol import Request


class ProcessFolder:
    """The files of one name. Every file appears with its whole content, so readers need no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, request: Request) -> str:
        """Put the request there unless there is one; the digest of the one that is there."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"digest": request.digest, "body": request.body, "passport": request.passport}
        self._write_first(supervisor.REQUEST, content)
        placed = self._read(supervisor.REQUEST)
        return placed["digest"] if placed else ""

    @property
    def passport(self) -> str:
        placed = self._read(supervisor.REQUEST) or {}
        return str(placed.get("passport", ""))

    @property
    def is_claimed(self) -> bool:
        """Whether a supervisor has taken it: what makes a placed request a submitted one."""
        return (self.path / supervisor.CLAIM).exists()

    @property
    def has_started(self) -> bool:
        return (self.path / supervisor.STARTED).exists()

    @property
    def is_alive(self) -> bool:
        """Whether its supervisor lives: it holds the claim's lock, which the kernel takes back at its death."""
        try:
            claim = os.open(self.path / supervisor.CLAIM, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(claim, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(claim)
        return False

    @property
    def is_over(self) -> bool:
        return (self.path / supervisor.EXIT).exists() or self.released_at is not None or not self.is_alive

    def end(self) -> Mapping[str, Any] | None:
        """How it ended; None while it lives, or when there is no such process.

        A supervisor that is gone without a word is written down as lost, once and for all agents.
        """
        if (ended := self._read(supervisor.EXIT)) or not self.is_claimed or self.is_alive:
            return ended
        with suppress(FileNotFoundError):
            # The supervisor's own record wins: it may have been written since we looked.
            self._write_first(supervisor.EXIT, {"lost": True})
            end_what_is_left(self.path.name)
        return self._read(supervisor.EXIT)

    def open_pidfd(self) -> int | None:
        """A descriptor that becomes readable when the supervisor ends; None where there is none to be had."""
        claim = self._read(supervisor.CLAIM)
        if claim is None or not hasattr(os, "pidfd_open"):
            return None
        try:
            descriptor = os.pidfd_open(claim["pid"])
        except OSError:
            return None
        # The pid may be another process by now, or mean another one in this container than in the supervisor's.
        if supervisor.start_ticks(claim["pid"]) == claim["ticks"] and self.is_alive:
            return descriptor
        os.close(descriptor)
        return None

    def wish_cancelled(self, grace_seconds: float) -> None:
        """Write down the wish, which stays when this agent dies, and wake the supervisor."""
        with suppress(FileNotFoundError):
            self._write(supervisor.CANCEL, {"grace_seconds": grace_seconds})
        try:
            fifo = os.open(self.path / supervisor.WAKE, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            # No FIFO yet, or nobody reads it: a supervisor looks at the wish before it starts the job.
            if error.errno not in {errno.ENOENT, errno.ENXIO}:
                raise
            return
        try:
            # It is full, or the supervisor has ended in this moment.
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(fifo, b"!")
        finally:
            os.close(fifo)

    def release(self) -> bool:
        """Remove everything but what keeps the name; False while the job runs."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Where no supervisor ever was, none can come any more.
        self._write_first(supervisor.CLAIM, {"pid": 0, "ticks": 0})
        if not self.is_over:
            return False
        (self.path / supervisor.RELEASED).touch()
        if placed := self._read(supervisor.REQUEST):
            self._write(supervisor.REQUEST, {"digest": placed["digest"]})
        for path in self.path.iterdir():
            if path.name not in {supervisor.CLAIM, supervisor.REQUEST, supervisor.RELEASED}:
                path.unlink(missing_ok=True)
        return True

    @property
    def released_at(self) -> float | None:
        """When it was released, in seconds since 1970; None when it was not."""
        try:
            return (self.path / supervisor.RELEASED).stat().st_mtime
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def complaints(self) -> str:
        """What the interpreter said when a supervisor could not run."""
        with suppress(FileNotFoundError):
            return (self.path / supervisor.COMPLAINTS).read_text(encoding="utf-8", errors="replace").strip()
        return ""

    def _read(self, name: str) -> dict[str, Any] | None:
        return supervisor.read_whole(str(self.path), name)

    def _draft(self, name: str, content: Mapping[str, Any]) -> Path:
        draft = self.path / f".{name}.{os.getpid()}.{threading.get_ident()}"
        draft.write_text(json.dumps(content), encoding="utf-8")
        return draft

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        self._draft(name, content).rename(self.path / name)

    def _write_first(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a file that nobody overwrites: a hard link appears for one caller only."""
        draft = self._draft(name, content)
        try:
            os.link(draft, self.path / name)
        except FileExistsError:
            return
        finally:
            draft.unlink()


def end_what_is_left(name: str) -> None:
    """End the processes of a job whose supervisor was killed.

    The kernel ended the job itself, but not what that had started. They are known by a variable of their environment:
    process groups and sessions have numbers that may be reused.
    """
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if process.environ().get(supervisor.MARK) == name:
                process.send_signal(signal.SIGKILL)
