"""Child processes whose output is shown with their names before each line, and that are ended by their process id."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_TIMEOUT_SECONDS = 60.0
"""How long a child may take to end when asked; then it is killed. An agent hands its runs over in seconds."""

_LINES_KEPT = 20


class Child:
    """One process. Each line that it prints is given to `show`, and its end to `ended`."""

    def __init__(self, name: str, show: Callable[[str, str], None], ended: Callable[[str], None]) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._show = show
        self._ended = ended

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start the process, in that folder."""
        # A session of its own: Ctrl-C in the terminal reaches the parent alone, which ends its children in order.
        self._process = subprocess.Popen(
            arguments,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {self.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End the process: ask first, and kill it when it does not end in time."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Jobs that outlive the agent may hold its output open, so its end is not waited for without a limit.
        self._reader.join(timeout=2)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            line = text.rstrip()
            self.last_lines.append(line)
            self._show(self.name, line)
        self._process.wait()
        self._ended(self.name)
