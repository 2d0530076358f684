"""What Slurm runs: it starts the run's program once, carries out the wish to cancel it, and writes down how it ended.

A copy of it lies in each run's folder, on the file system that the nodes share, and runs with the environment's bare
interpreter (`python -I -S`): the standard library only. The target imports the names of the files from here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REQUEST = "request.json"  # what to run; appears once, with its whole content
JOB = "job.json"  # the one job of Slurm's that may run it; appears once
CANCEL = "cancel.json"  # the wish to cancel, with the grace
OUTPUT = "output.log"  # standard output and standard error of the program
EXIT = "exit.json"  # how the program ended

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
_HOUR = 3600.0


def write_first(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write a file that nobody overwrites: a hard link appears whole, and for one caller only, on NFS too."""
    draft = folder / f".{name}.{os.uname().nodename}.{os.getpid()}.{time.monotonic_ns()}"
    draft.write_text(json.dumps(content), encoding="utf-8")
    try:
        os.link(draft, folder / name)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """The content of such a file; None when there is none."""
    try:
        content: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


class Program:
    """The run's program, from its start to its end."""

    def __init__(self, folder: Path, body: dict[str, Any]) -> None:
        self._folder = folder
        self._body = body
        self._deadline: float | None = None
        self._cancelled = False
        self._forced = False

    def run(self) -> int:
        """Run it, and write down how it ended; its exit code."""
        # Before anything is looked at: a wish that comes later comes with a signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
        if read(self._folder, CANCEL) is not None:
            return self._write_end(None, cancelled=True)
        try:
            program = self._start()
        except OSError as error:
            return self._write_end(None, failure=f"{error.strerror}: {error.filename}")
        while program.poll() is None:
            self._wait(program)
        self._signal(program, signal.SIGKILL)
        status = program.returncode
        return self._write_end(status if status >= 0 else 128 - status, cancelled=self._cancelled, forced=self._forced)

    def _start(self) -> subprocess.Popen[bytes]:
        own = Path(self._body["environment"], "bin")
        env = {**os.environ, **self._body["env"]}
        env["PATH"] = f"{own}{os.pathsep}{env.get('PATH') or os.defpath}"
        with (self._folder / OUTPUT).open("ab") as output:
            return subprocess.Popen(
                self._body["command"],
                cwd=self._body["folder"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # There is one thread only.
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, ()),  # noqa: PLW1509
            )

    def _wait(self, program: subprocess.Popen[bytes]) -> None:
        patience = _HOUR if self._deadline is None or self._forced else max(0.0, self._deadline - time.monotonic())
        told = signal.sigtimedwait({*_FORWARDED, signal.SIGCHLD}, patience)
        if told is None and self._deadline is not None:
            self._forced = True
            self._signal(program, signal.SIGKILL)
        elif told is not None and told.si_signo in _FORWARDED and program.poll() is None:
            self._take_wish()
            self._signal(program, told.si_signo)

    def _take_wish(self) -> None:
        wish = read(self._folder, CANCEL)
        if wish is not None and self._deadline is None:
            self._cancelled = True
            self._deadline = time.monotonic() + wish["grace_seconds"]

    def _signal(self, program: subprocess.Popen[bytes], number: int) -> None:
        try:
            os.killpg(program.pid, number)
        except ProcessLookupError:
            return

    def _write_end(self, code: int | None, *, cancelled: bool = False, forced: bool = False, failure: str = "") -> int:
        write_first(self._folder, EXIT, {"code": code, "cancelled": cancelled, "forced": forced, "failure": failure})
        return 127 if failure else code or 0


def main(folder: Path) -> int:
    """Become the run's one job, unless another has, or the run was released; and see its program through."""
    job = os.environ["SLURM_JOB_ID"]
    write_first(folder, JOB, {"id": job})
    claimed = read(folder, JOB)
    request = read(folder, REQUEST)
    if claimed is None or claimed["id"] != job or request is None:
        return 0
    return Program(folder, request["body"]).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
