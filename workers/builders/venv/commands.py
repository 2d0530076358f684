"""Running an installer: its lines go out as they come, and it can be ended with all that it started."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker_config.settings import environment_for_others
from workers.failures import RunCancelled

_LOOK_SECONDS = 0.2
"""How often the wish to cancel is looked at."""

_GRACE_SECONDS = 3.0
_KEPT_LINES = 40


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all commands of one build share."""

    folder: Path  # in which they run
    lock: int  # a descriptor that they keep open, so that the lock is held until the last of them is gone
    log: Callable[[str], None]
    cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and its last lines."""

    code: int
    lines: Sequence[str]


def run_command(command: Sequence[str], around: Surroundings) -> Outcome:
    """Run a command to its end.

    Raises:
        RunCancelled: when the build was cancelled; nothing of the command is left then.
        OSError: when the program cannot be run.
    """
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    process = subprocess.Popen(
        command,
        cwd=around.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # What is installed may run code of its own, which has no business with the broker's password and with keys.
        env=environment_for_others(),
        pass_fds=(around.lock,),
        process_group=0,
    )
    try:
        for line in _lines(process, around.cancelled):
            last.append(line)
            around.log(line)
        return Outcome(process.wait(), [*last])
    finally:
        if process.returncode is None:
            _end(process)


def stop_if_cancelled(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise RunCancelled("the build of the environment was cancelled")


def _lines(process: subprocess.Popen[bytes], cancelled: Callable[[], bool]) -> Iterator[str]:
    if process.stdout is None:
        raise AssertionError("the command was started with a pipe")
    rest = b""
    with process.stdout as output, selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            stop_if_cancelled(cancelled)
            if not selector.select(_LOOK_SECONDS):
                continue
            data = os.read(output.fileno(), 65536)
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").rstrip() for line in whole)
            if not data:
                break
    if rest:
        yield rest.decode(errors="replace").rstrip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group, which may outlive its leader."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
