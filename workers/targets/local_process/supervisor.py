"""Stands over one job: starts it once, carries out the wish to cancel it, and writes down how it ended.

It runs as a process of its own, in a session of its own, so that the agent that started it may stop, crash or be
upgraded. It is a script for a bare interpreter (`python -I -S`): the standard library only, and of that little, since
one of them stands in memory for every running job. The target imports the names of the files from here.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

REQUEST = "request.json"  # what to run; appears once, with its whole content
CLAIM = "claim"  # the supervisor's pid; its lock is held exactly as long as the supervisor lives
STARTED = "started.json"  # the job's own pid
CANCEL = "cancel.json"  # the wish to cancel, with the grace
WAKE = "wake"  # a FIFO: any byte makes the supervisor look at the wish
OUTPUT = "output.log"  # standard output and standard error of the job
EXIT = "exit.json"  # how it ended; the last thing that is written
RELEASED = "released"  # nothing is left but this file and the claim, so that the name stays taken
COMPLAINTS = "supervisor.log"  # what Python says when the supervisor itself fails

MARK = "LAUNCHYARD_PROCESS"
"""Variable in the job's environment that names its process folder, to find what is left of it."""

CLAIMED = b"claimed\n"
TAKEN = b"taken\n"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_SECONDS = 5.0
_NO_FIFO_POLL_SECONDS = 1.0

Record = dict[str, Any]


def write_whole(folder: str, name: str, content: Record) -> None:
    """Write a file that appears with its whole content or not at all."""
    draft = os.path.join(folder, f".{name}.{os.getpid()}")
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.rename(draft, os.path.join(folder, name))


def read_whole(folder: str, name: str) -> Record | None:
    """The content of such a file; None when there is none."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            content: Record = json.load(file)
    except FileNotFoundError:
        return None
    return content


def start_ticks(pid: int) -> int:
    """When a process was started, in the kernel's clock ticks since boot; 0 where the system does not say.

    Field 22 of `/proc/PID/stat` (proc_pid_stat(5)); the name in field 2 may hold blanks and parentheses.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except OSError:
        return 0


def claim(folder: str) -> bool:
    """Become the one supervisor of this folder; False when there is or was another one.

    The link appears with its content and with its lock held, and for one caller only. The lock is never given back:
    the kernel does that when this process is gone, however it went, and no reused pid can pretend to hold it.
    """
    draft = os.path.join(folder, f".{CLAIM}.{os.getpid()}")
    if os.path.lexists(draft):
        # Left by a killed process with our pid. It may be the claim itself, so it must not be written to.
        os.unlink(draft)
    held = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(held, json.dumps({"pid": os.getpid(), "ticks": start_ticks(os.getpid())}).encode())
        os.link(draft, os.path.join(folder, CLAIM))
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for memory since boot, those over a cgroup's limit included."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0


def control_process(option: int, value: int) -> None:
    """prctl(2), where there is one."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


class Supervisor:
    """One job from its start to its end."""

    def __init__(self, folder: str, body: Record) -> None:
        self._folder = folder
        self._body = body
        self._stop_signal = signal.Signals[body["stop_signal"]]
        self._kills_before = out_of_memory_kills()
        self._job = 0
        self._status: int | None = None  # how the job itself ended: its exit code, or a signal's number negated
        self._nothing_left = False  # neither the job nor anything that it started is alive
        self._cancelled = False
        self._interrupted = False
        self._told_to_stop = False
        self._deadline: float | None = None
        self._forced = False
        self._wakeup, writing = os.pipe()
        for end in (self._wakeup, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(stop, self._interrupt)
        self._sources = [self._wakeup, *self._open_fifo()]

    def run(self, started: Callable[[], None]) -> None:
        """Start the job, tell the submitter, and stay until the end is written down."""
        # Whatever the job leaves behind becomes our child, so that we can wait for it and end it.
        control_process(_PR_SET_CHILD_SUBREAPER, 1)
        self._look_at_wish()
        if self._cancelled:
            started()
            self._write_end(None)
            return
        failure = self._start()
        started()
        if failure is None:
            while not self._is_over():
                self._wait()
            self._end_what_is_left()
        self._write_end(failure)

    def _start(self) -> Record | None:
        """Fork the job; what went wrong when it could not be started."""
        reading, writing = os.pipe()
        output = os.open(os.path.join(self._folder, OUTPUT), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        supervisor = os.getpid()
        self._job = os.fork()
        if self._job == 0:
            become_job(self._body, os.path.basename(self._folder), (output, writing), supervisor)
        os.close(output)
        os.close(writing)
        with os.fdopen(reading, "rb") as report:
            # It is closed by the exec that succeeds.
            failure = report.read()
        if failure:
            os.waitpid(self._job, 0)
            refusal: Record = json.loads(failure)
            return refusal
        write_whole(self._folder, STARTED, {"pid": self._job})
        return None

    def _open_fifo(self) -> list[int]:
        path = os.path.join(self._folder, WAKE)
        try:
            os.mkfifo(path, 0o600)
            # Open for writing too, so that it never comes to an end of file.
            return [os.open(path, os.O_RDWR | os.O_NONBLOCK)]
        except OSError:
            return []

    def _interrupt(self, *_: object) -> None:
        # The machine goes down, or somebody means the job: it is told, and has what time the machine gives it.
        self._interrupted = True

    def _wait(self) -> None:
        ready, _, _ = select.select(self._sources, [], [], self._patience())
        for source in ready:
            os.read(source, 4096)
        # The end comes before the wish: a job that had ended by itself was not cancelled.
        self._reap()
        self._look_at_wish()
        if self._interrupted or self._cancelled:
            self._tell_to_stop()
        if self._deadline is not None and time.monotonic() >= self._deadline and not self._forced:
            self._forced = True
            self._signal_group(signal.SIGKILL)

    def _patience(self) -> float | None:
        limits = [] if len(self._sources) > 1 else [_NO_FIFO_POLL_SECONDS]
        if self._deadline is not None and not self._forced:
            limits.append(max(0.0, self._deadline - time.monotonic()))
        return min(limits, default=None)

    def _look_at_wish(self) -> None:
        wish = read_whole(self._folder, CANCEL)
        if wish is not None and self._status is None:
            self._cancelled = True
            deadline = time.monotonic() + wish["grace_seconds"]
            self._deadline = min(deadline, self._deadline or deadline)

    def _tell_to_stop(self) -> None:
        if not self._told_to_stop:
            self._told_to_stop = True
            self._signal_group(self._stop_signal)

    def _signal_group(self, number: signal.Signals) -> None:
        kill_quietly(os.killpg, self._job, number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._nothing_left = True
                return
            if pid == 0:
                return
            if pid == self._job:
                self._status = os.waitstatus_to_exitcode(status)

    def _is_over(self) -> bool:
        # A shell dies of the stop signal at once, while the training that it started still writes a checkpoint: one
        # that was told to stop is over when all of it is, or when the grace has passed.
        return self._status is not None and (self._nothing_left or self._forced or not self._told_to_stop)

    def _end_what_is_left(self) -> None:
        self._signal_group(signal.SIGKILL)
        deadline = time.monotonic() + _SWEEP_SECONDS
        self._reap()
        while not self._nothing_left and time.monotonic() < deadline:
            for child in children():
                kill_quietly(os.kill, child, signal.SIGKILL)
            select.select([self._wakeup], [], [], 0.05)
            self._reap()

    def _write_end(self, failure: Record | None) -> None:
        # 137 is what a shell makes of a SIGKILL of its child.
        killed = self._status in {-signal.SIGKILL, 137} and not self._forced
        write_whole(
            self._folder,
            EXIT,
            {
                "status": self._status,
                "failure": failure,
                "cancelled": self._cancelled,
                "forced": self._forced,
                "interrupted": self._interrupted,
                "out_of_memory": killed and out_of_memory_kills() > self._kills_before,
                "ended": time.time(),
            },
        )


def kill_quietly(kill: Callable[[int, int], None], whom: int, number: int) -> None:
    """Send a signal to whom it still concerns: nobody may be left, or only processes that became another user's."""
    try:
        kill(whom, number)
    except (ProcessLookupError, PermissionError):
        return


def children() -> list[int]:
    """Pids of our children that are alive or not reaped; none where the system does not say."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def become_job(body: Record, name: str, pipes: tuple[int, int], supervisor: int) -> None:
    """In the child: turn into the job, or report why not. Never returns."""
    output, report = pipes
    step, name_of_step = "start", ""
    try:
        os.setpgid(0, 0)
        take_default_signals()
        # The job must not outlive the one process that can say how it ended.
        control_process(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(127)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.nice(body["nice"])
        step, name_of_step = "folder", body["folder"]
        os.chdir(body["folder"])
        step, name_of_step = "program", body["command"][0]
        os.execvpe(body["command"][0], body["command"], job_environment(body, name))
    except OSError as error:
        text = json.dumps({"step": step, "name": name_of_step, "number": error.errno, "text": error.strerror})
        os.write(report, text.encode())
    finally:
        os._exit(127)


def take_default_signals() -> None:
    """Undo what this interpreter and the agent made of signals: an ignored one stays ignored over exec."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def job_environment(body: Record, name: str) -> dict[str, str]:
    """What the agent let through, the job's own variables over it, and the built environment first on the PATH."""
    env = {**os.environ, **body["env"], MARK: name}
    own = os.path.join(body["environment"], "bin")
    env["PATH"] = os.pathsep.join([own, env.get("PATH") or os.defpath])
    return env


def main(folder: str) -> None:
    """Claim the folder and see its job through."""
    try:
        is_ours = claim(folder)
    except FileNotFoundError:
        # Released meanwhile: its run has ended.
        is_ours = False
    request = read_whole(folder, REQUEST) if is_ours else None
    if request is None:
        tell(TAKEN)
        return
    Supervisor(folder, request["body"]).run(lambda: tell(CLAIMED))


def tell(word: bytes) -> None:
    """One word to the submitter, which may be gone."""
    try:
        os.write(1, word)
    except BrokenPipeError:
        return
    finally:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)


if __name__ == "__main__":
    main(sys.argv[1])
