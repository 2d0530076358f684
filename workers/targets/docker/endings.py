"""What the engine says of a container, in the words that all targets share."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from broker_config.states import FailureClass, Reason
from workers.targets.exit_codes import failure_of
from workers.targets.protocol import Observation, Phase

STARTING = Observation(Phase.STARTING, Reason.STARTING, "The container is made and not started yet.")
RUNNING = Observation(Phase.RUNNING, Reason.RUNNING, "The container is running.")
PAUSED = Observation(
    Phase.RUNNING,
    Reason.RUNNING,
    "The container is paused; somebody did that with docker pause, docker unpause ends it.",
)

LIVE: Mapping[str, Observation] = {
    "created": STARTING,
    "running": RUNNING,
    "paused": PAUSED,
    "restarting": RUNNING,  # we forbid restart policies, so only an update from outside leads here
}
"""By docker's status of a container that has not ended. The others are removing, exited and dead."""

_KILLED = 128 + signal.SIGKILL
_TERMINATED = 128 + signal.SIGTERM

_EXPLAINED: Mapping[int, str] = {
    125: "125 is docker's own word for a container that it could not run, unless the job chose it",
    126: "the command was found and cannot be run; check that it is executable and its interpreter exists",
    127: "the image has no such command; check the entry point and the image's PATH",
    _KILLED: "it was killed from outside: by docker kill, by a restart of the engine without live-restore, or by the "
    "host",
    _TERMINATED: "it was told to end from outside: by docker stop, or by a shutdown of the engine or its host",
    255: "255 is also what docker shows when the engine was down while the job ended",
}
"""By exit code: what most likely was the cause."""


def ended(found: Mapping[str, Any], cancelled: bool) -> Observation:
    """How a container ended; `found` is the answer of an inspect."""
    state = found["State"]
    code = int(state["ExitCode"])
    if cancelled:
        how = ", by force because it did not end within its grace" if code == _KILLED else ""
        text = f"The container was stopped and {_exit(code)}{how}."
        return Observation(Phase.CANCELLED, Reason.CANCELLED_BY_USER, text, code)
    if code == 0:
        return Observation(Phase.SUCCEEDED, Reason.EXITED, f"The container {_exit(code)}.", code)
    if state.get("OOMKilled"):
        return Observation(Phase.FAILED, Reason.OUT_OF_MEMORY, _out_of_memory(found, code), code, FailureClass.USER)
    why = _EXPLAINED.get(code) or _signal(code)
    said = f" Docker says: {state['Error']}." if state.get("Error") else ""
    return Observation(
        Phase.FAILED,
        Reason.EXITED,
        f"The container {_exit(code)}{f': {why}' if why else ''}.{said}",
        code,
        failure_of(code),
    )


def _exit(code: int) -> str:
    return f"ended with exit code {code}"


def _signal(code: int) -> str:
    try:
        return f"killed by {signal.Signals(code - 128).name}"
    except ValueError:
        return ""


def _out_of_memory(found: Mapping[str, Any], code: int) -> str:
    limit = found["HostConfig"].get("Memory") or 0
    where = f"its limit of {limit / 2**20:.0f} MiB" if limit else "the memory of its host"
    return (
        f"The container {_exit(code)} after it had run out of {where}; raise memory in the queue config or the run's "
        "overrides, or give the job less data at once."
    )
