"""From what the supervisor wrote down to what the platform says."""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping
from typing import Any

from broker_config.states import FailureClass, Reason
from workers.targets.exit_codes import failure_of
from workers.targets.protocol import Observation, Phase

_KILLED = 128 + signal.SIGKILL

STARTING = Observation(Phase.STARTING, Reason.STARTING, "The process is being started.")
RUNNING = Observation(Phase.RUNNING, Reason.RUNNING, "The process is running.")

LOST = Observation(
    Phase.FAILED,
    Reason.OBJECT_GONE,
    "The process is gone and nobody saw its end: its supervisor was killed, or the machine was restarted. Launch the "
    "run again.",
    failure=FailureClass.INFRA,
)


def observation(end: Mapping[str, Any]) -> Observation:
    """How a process ended."""
    if end.get("lost"):
        return LOST
    if end["failure"] is not None:
        return _not_started(end["failure"])
    status: int | None = end["status"]
    code = None if status is None else status if status >= 0 else 128 - status
    if end["cancelled"]:
        how = "before it was started" if code is None else f"and ended with {_words(status, code)}"
        if end.get("forced"):
            how += ", by force because it did not end within its grace"
        return Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, f"The process was cancelled {how}.", code)
    if code == 0:
        return Observation(Phase.SUCCEEDED, Reason.EXITED, "The process ended with exit code 0.", 0)
    return _failed(end, status, code)


def _failed(end: Mapping[str, Any], status: int | None, code: int | None) -> Observation:
    text = f"The process ended with {_words(status, code)}"
    if end["interrupted"]:
        return Observation(
            Phase.FAILED,
            Reason.TARGET_UNAVAILABLE,
            f"{text}, after the machine, or somebody on it, told it to stop. Launch the run again.",
            code,
            FailureClass.INFRA,
        )
    if end["out_of_memory"]:
        text += ": the kernel killed it because memory ran out. Give the job less data at once, or a larger machine."
        return Observation(Phase.FAILED, Reason.OUT_OF_MEMORY, text, code, FailureClass.USER)
    if code == _KILLED:
        text += ": killed from outside, by a person, or by a program that guards the machine's memory"
    return Observation(Phase.FAILED, Reason.EXITED, f"{text}.", code, failure_of(code))


def _words(status: int | None, code: int | None) -> str:
    if status is None or status >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"exit code {code} ({name})"


def _not_started(failure: Mapping[str, Any]) -> Observation:
    """What the shells say with 126 and 127, and the cure."""
    missing = failure["number"] in {errno.ENOENT, errno.ENOTDIR}
    name, said = failure["name"], failure["text"]
    if failure["step"] == "folder":
        text = f"The working directory {name} cannot be entered: {said}. Correct `working_dir` of the queue config."
        return Observation(Phase.FAILED, Reason.CONFIG_INVALID, text, None, FailureClass.CONFIG)
    if failure["step"] != "program":
        text = f"The process could not be started: {said}."
        return Observation(Phase.FAILED, Reason.TARGET_REFUSED, text, None, FailureClass.INFRA)
    if missing:
        cure = "Correct the entry point, or name the package that brings the program in the requirements."
    elif failure["number"] == errno.ENOEXEC:
        cure = 'Begin the file with a line such as "#!/bin/sh", or name its interpreter first in the entry point.'
    else:
        cure = 'Make the file executable (chmod +x), or name its interpreter first, as in ["bash", "train.sh"].'
    text = f"The program {name!r} of the entry point cannot be run: {said}. {cure}"
    return Observation(Phase.FAILED, Reason.EXITED, text, 127 if missing else 126, FailureClass.USER)
