"""How a test tells an agent where a fault shall strike, and how the agent tells that it got there.

Files in the home folder, so that it works whatever happens to the broker; and each fuse burns once, also for the
agent that is started again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from enum import StrEnum
from pathlib import Path

from tests.agents import eventually
from tests.faults.steps import Step

PARKED_SECONDS = 60.0
"""Longest wait of an agent for the test that parked it."""


class Effect(StrEnum):
    """What an agent does that meets the armed step."""

    DIE = "die"
    PARK = "park"  # stay there until the test says so
    FREEZE = "freeze"  # all of the process stops, until the test has it go on (SIGCONT)


class Fuse:
    """Both ends of the wire."""

    def __init__(self, home: Path) -> None:
        self._armed = home / "fuse.armed"
        self._taken = home / "fuse.taken"
        self._burnt = home / "fuse.burnt"
        self._go = home / "fuse.go"
        self._left = home / "fuse.left"
        self._stopping = home / "fuse.stopping"
        self._target = home / "fuse.target"

    @property
    def target(self) -> str:
        """The target whose steps are wrapped."""
        return self._target.read_text()

    @target.setter
    def target(self, name: str) -> None:
        self._target.write_text(name)

    def arm(self, step: Step, effect: Effect) -> None:
        """The next agent that meets this step is the one."""
        for left in (self._armed, self._taken, self._burnt, self._go, self._left, self._stopping):
            left.unlink(missing_ok=True)
        _place(self._armed, f"{effect}\n{step}")

    def meet(self, step: Step) -> None:
        """Called by the agent at each step."""
        try:
            effect, armed = self._armed.read_text().split("\n")
            if armed != step:
                return
            self._armed.rename(self._taken)
        except FileNotFoundError:
            return
        _place(self._burnt, f"{time.time()} {os.getpid()}")
        if effect == Effect.DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if effect == Effect.FREEZE:
            # To this thread: sent to the process, another thread may take it, and this one go on for a moment.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
            return
        deadline = time.monotonic() + PARKED_SECONDS
        while not self._go.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._left.touch()

    def wait_until_burnt(self, seconds: float = 30.0) -> float:
        """The time at which an agent met the step."""
        eventually(self._burnt.exists, "an agent meets the armed step; its log may tell why it did not", seconds)
        return float(self._burnt.read_text().split()[0])

    @property
    def burnt_by(self) -> int:
        """The process id of the agent that met the step."""
        return int(self._burnt.read_text().split()[1])

    def stopping(self) -> None:
        """Called by an agent that was asked to stop."""
        self._stopping.touch()

    def wait_until_stopping(self) -> None:
        """An agent knows that it has to stop."""
        eventually(self._stopping.exists, "the agent has heard that it has to stop")

    def let_go(self) -> None:
        """The parked agent goes on, if one is parked."""
        self._go.touch()
        # It must have seen it before the fuse is armed anew, or it stays where it is.
        if self._burnt.exists():
            eventually(self._left.exists, "the parked agent goes on")


def _place(path: Path, text: str) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text)
    draft.rename(path)
