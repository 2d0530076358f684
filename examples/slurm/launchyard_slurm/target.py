"""The slurm target: jobs of a Slurm cluster, which run in environments on the file system that its nodes share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import ClassVar

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from launchyard_slurm import commands, start
from launchyard_slurm.folder import NOBODY, SCRIPT, RunFolder, shared_files
from launchyard_slurm.listing import Listing
from launchyard_slurm.render import render
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets import output
from workers.targets.pace import Bounds
from workers.targets.protocol import LogChunk, Observation, Request, Workload

BOUNDS = Bounds(fastest=5.0, slowest=30.0)
"""How often squeue is called: sites ask their users to do it no more often than this."""


class SlurmTarget:
    """Slurm takes any number of jobs of one name, so what makes them one is a folder that the job itself looks into.

    Of several, the one that claims the folder runs; the others end at once. So a submit whose answer was lost may be
    repeated, whatever squeue shows, and a name that was released has a claim that no job of Slurm's can have.
    """

    artifact: ClassVar[ArtifactKind] = ArtifactKind.ENVIRONMENT
    is_local = False

    def __init__(self, home: Path, bounds: Bounds = BOUNDS) -> None:
        self._folder = home / "slurm"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._changed: Callable[[str | None], None] = lambda _: None
        self._listing = Listing(self._run, self._tell, bounds)

    def render(self, workload: Workload) -> Request:
        return render(workload)

    @shared_files()
    def submit(self, request: Request) -> None:
        run = self._run(request.name)
        digest = run.place(request)
        if run.released_at is not None:
            return
        if digest != request.digest:
            text = f"the job {request.name} exists already in {run.path} with another request"
            raise RunFailed(FailureClass.CONFIG, Reason.NAME_TAKEN, text)
        with run.submitting():
            if run.job or (run.begin_try() and self._listing.observe([request.name])):
                return
            run.claim(commands.submit(_arguments(request, run.path), run.path / SCRIPT, run.path))
        self._listing.put(request.name)

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]:
        ended = {name: end for name in names if (end := self._run(name).end()) is not None}
        return {**ended, **self._listing.observe([name for name in names if name not in ended])}

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None:
        self._changed = changed
        self._listing.poll.follow()
        changed(None)
        stop.wait()
        self._listing.poll.stop()

    def _tell(self, name: str) -> None:
        self._changed(name)

    def read_logs(self, name: str, position: str) -> LogChunk:
        run = self._run(name)
        # Asked first: what was written until then is what there is.
        is_over = run.exit is not None or run.end() is not None
        return output.read(run.path / start.OUTPUT, position, is_over)

    @shared_files()
    def cancel(self, name: str, grace_seconds: float) -> None:
        run = self._run(name)
        if not run.is_there or run.end() is not None or run.exit is not None:
            return
        run.wish_cancelled(grace_seconds)
        commands.cancel(name)
        self._listing.poll.hurry()

    @shared_files()
    def release(self, name: str) -> None:
        run = self._run(name)
        run.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (
            run.released_at is None
            and run.claim(NOBODY) != NOBODY
            and any(not seen.phase.is_end for seen in self.observe([name]).values())
        ):
            raise TemporaryError(f"Slurm's job {run.job} of {name} still runs; cancel it first")
        run.release()

    def released(self, older_than_seconds: float) -> Sequence[str]:
        until = time.time() - older_than_seconds
        return [path.name for path in self._folder.iterdir() if (RunFolder(path).released_at or inf) <= until]

    def forget(self, name: str) -> None:
        self._run(name).remove()

    def inventory(self) -> Sequence[str]:
        return [path.name for path in self._folder.iterdir() if RunFolder(path).is_there]

    def passport(self, name: str) -> str:
        return self._run(name).passport

    def _run(self, name: str) -> RunFolder:
        return RunFolder(self._folder / name)


def _arguments(request: Request, folder: Path) -> list[str]:
    """What sbatch is told besides the queue's options: by what the job is found, and that it starts once."""
    return [
        f"--job-name={request.name}",
        f"--comment=launchyard {request.digest}",
        # What Slurm itself says of the job; the program's output is apart from it.
        f"--output={folder}/slurm-%j.out",
        f"--chdir={request.body['folder']}",
        f"--export={','.join(request.body['export'])}",
        "--no-requeue",
        *request.body["options"],
    ]
