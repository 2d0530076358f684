"""A file that says that this agent is alive: for supervisors that can look at nothing but the machine.

It says nothing of the broker. An agent that cannot reach that waits, and to be restarted does not help it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

FOLDER = "pulses"


class Pulse:
    """The file of one agent, whose time of change is when its heartbeat last got on."""

    def __init__(self, home: Path, agent: str) -> None:
        """What an earlier process under that name has left is removed: it says nothing of this one."""
        self._file = home / FOLDER / agent
        self.stop()

    def beat(self) -> None:
        """Say that it is alive now."""
        # A full disk, or a folder that somebody has removed, must not end the heartbeat.
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch()

    def stop(self) -> None:
        """Say nothing any more."""
        self._file.unlink(missing_ok=True)
