"""The folder of one run, on the file system that the nodes share: what all agents, and the job itself, know of it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from launchyard_slurm import start
from workers.targets.protocol import Observation, Phase, Request

END = "end.json"  # how the run's job ended, as it was told first
RELEASED = "released"  # with it, nothing is left but what keeps the name
SCRIPT = "job.sh"
PROGRAM = "start.py"
LOCK = "lock"
TRIED = "tried"  # from now on Slurm may have a job for it

NOBODY = "0"
"""The job of a name that was released before it had one: none of Slurm's has this id, so none may run it."""


@contextmanager
def shared_files() -> Iterator[None]:
    """What the file system refuses now, it may take later.

    Raises:
        TemporaryError: when it refuses something.
    """
    try:
        yield
    except OSError as error:
        raise TemporaryError(f"the file system that the nodes share: {error}") from error


class RunFolder:
    """The files of one name. Each appears with its whole content, so readers need no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, request: Request) -> str:
        """Put the request there unless there is one; the digest of the one that is there."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if start.read(self.path, start.REQUEST) is None:
            shutil.copyfile(start.__file__, self.path / PROGRAM)
            python = Path(request.body["environment"], "bin", "python")
            script = f'#!/bin/sh\nexec {shlex.quote(str(python))} -I -S "$1/{PROGRAM}" "$1"\n'
            (self.path / SCRIPT).write_text(script, encoding="utf-8")
            content = {"digest": request.digest, "body": request.body, "passport": request.passport}
            start.write_first(self.path, start.REQUEST, content)
        placed = start.read(self.path, start.REQUEST)
        return placed["digest"] if placed else ""

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """One agent at a time. It spares Slurm needless jobs; that only one of them runs does not depend on it."""
        with (self.path / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def begin_try(self) -> bool:
        """Write down that a job is about to be submitted; whether that was so before, and one may be there."""
        was_tried = (self.path / TRIED).exists()
        (self.path / TRIED).touch()
        return was_tried

    def claim(self, job: str) -> str:
        """Have this job run the request, unless another may; the one that may."""
        start.write_first(self.path, start.JOB, {"id": job})
        return self.job

    @property
    def job(self) -> str:
        """Slurm's id of the job that may run the request; empty while there is none."""
        claimed = start.read(self.path, start.JOB)
        return claimed["id"] if claimed else ""

    @property
    def job_age_seconds(self) -> float:
        """How long there has been one."""
        return time.time() - (self.path / start.JOB).stat().st_mtime

    @property
    def is_there(self) -> bool:
        return (self.path / start.REQUEST).exists() and self.released_at is None

    @property
    def passport(self) -> str:
        placed = start.read(self.path, start.REQUEST) or {}
        return str(placed.get("passport", ""))

    @property
    def exit(self) -> dict[str, object] | None:
        """What the job wrote down at its program's end."""
        return start.read(self.path, start.EXIT)

    @property
    def is_cancelled(self) -> bool:
        return (self.path / start.CANCEL).exists()

    def wish_cancelled(self, grace_seconds: float) -> None:
        """Write down the wish, which stays when this agent dies; the first one holds."""
        start.write_first(self.path, start.CANCEL, {"grace_seconds": grace_seconds})

    def end(self) -> Observation | None:
        """How it ended, if somebody has seen it."""
        told = start.read(self.path, END)
        # An agent may have written it down after another one's release.
        if told is None or self.released_at is not None:
            return None
        failure = FailureClass(told["failure"]) if told["failure"] else None
        return Observation(Phase(told["phase"]), Reason(told["reason"]), told["text"], told["exit_code"], failure)

    def record_end(self, seen: Observation) -> None:
        """Have all agents tell the same end for good: Slurm forgets it in minutes."""
        # Whoever removed the folder knew the end.
        with suppress(FileNotFoundError):
            start.write_first(self.path, END, asdict(seen))

    def release(self) -> None:
        """Remove everything but what keeps the name."""
        (self.path / RELEASED).touch()
        digest = (start.read(self.path, start.REQUEST) or {"digest": ""})["digest"]
        draft = self.path / f".released.{os.getpid()}.{time.monotonic_ns()}"
        draft.write_text(json.dumps({"digest": digest}), encoding="utf-8")
        draft.rename(self.path / start.REQUEST)
        for path in self.path.iterdir():
            if path.name not in {start.JOB, start.REQUEST, RELEASED}:
                path.unlink(missing_ok=True)

    @property
    def released_at(self) -> float | None:
        """When it was released, in seconds since 1970; None when it was not."""
        try:
            return (self.path / RELEASED).stat().st_mtime
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
