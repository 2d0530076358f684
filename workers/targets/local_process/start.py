"""Starting a supervisor that lives on without the agent."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from broker_config.errors import TemporaryError
from workers.targets.local_process import supervisor
from workers.targets.local_process.folder import ProcessFolder

_PATIENCE_SECONDS = 30.0
"""How long a supervisor may take to answer; a quiet machine needs 0.02."""

_COMMAND = (sys.executable, "-I", "-S", "-E", "-X", "utf8", str(Path(supervisor.__file__).resolve()))


def start_supervisor(folder: ProcessFolder, inherit_env: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Have the job of this folder started; the supervisor, or None when another one has it.

    Raises:
        TemporaryError: when no supervisor could be started, or it did not answer in time.
    """
    with (folder.path / supervisor.COMPLAINTS).open("ab") as complaints:
        process = subprocess.Popen(
            [*_COMMAND, str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            # The agent's own variables may hold credentials: the supervisor, and so the job, gets those that are named.
            env={name: os.environ[name] for name in inherit_env if name in os.environ},
            cwd="/",
            # Not of the agent's session: Ctrl-C and the end of a terminal mean the agent only.
            start_new_session=True,
        )
    word = _first_word(process)
    if word == supervisor.CLAIMED:
        return process
    if not word and process.poll() is None:
        # It may still claim the folder. Then the next attempt to submit finds it claimed.
        raise TemporaryError(f"the supervisor of {folder.path.name} did not answer within {_PATIENCE_SECONDS:.0f} s")
    process.wait()
    if word == supervisor.TAKEN or folder.is_claimed:
        return None
    raise TemporaryError(f"the supervisor of {folder.path.name} could not run: {folder.complaints() or 'no output'}")


def _first_word(process: subprocess.Popen[bytes]) -> bytes:
    """What it says first; empty when it ends without a word, or says none in time."""
    if process.stdout is None:
        raise AssertionError("the supervisor was started with a pipe")
    with process.stdout as answers, selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        word = os.read(answers.fileno(), 64) if selector.select(_PATIENCE_SECONDS) else b""
    if not word:
        # Its output is closed, so its end is near; with a pipe that stayed silent there is nothing to wait for.
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            return b""
    return word
