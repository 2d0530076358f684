"""The git program: how it is called, so that neither a repository nor a terminal has a say in it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import TemporaryError
from workers.sources.git.failures import unavailable

TIMEOUT_SECONDS = 600.0
"""For one step, such as the fetch of a large repository."""

_ENVIRONMENT = {
    # Neither a path of this machine nor a command (ext::) may be named as a repository, in submodules neither.
    "GIT_ALLOW_PROTOCOL": "http:https:ssh",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LFS_SKIP_SMUDGE": "0",
    # What git says is searched for words.
    "LC_ALL": "C",
}

_OPTIONS = (
    *("-c", "core.sshCommand=ssh -oBatchMode=yes"),
    *("-c", "core.askPass=true"),  # answers with nothing, where a desktop would open a window
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "init.defaultBranch=main"),
    *("-c", "fetch.unpackLimit=1"),  # one file for a fetch, and not one for each object
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "http.lowSpeedLimit=1000"),
    *("-c", "http.lowSpeedTime=60"),
)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    said: str  # on stderr


@dataclass(frozen=True, slots=True)
class Program:
    """git with the options of this agent."""

    options: tuple[str, ...] = ()

    def call(self, folder: Path, *arguments: str, variables: Mapping[str, str], stdin: bytes = b"") -> Done:
        """Run a command in a folder, with further variables of the environment.

        Raises:
            RunFailed: when there is no git.
            TemporaryError: when it takes too long.
        """
        command = ["git", *_OPTIONS, *self.options, *arguments]
        try:
            return _run(command, folder, variables, stdin)
        except FileNotFoundError as error:
            raise unavailable("this agent's machine has no git; install it there") from error
        except subprocess.TimeoutExpired as error:
            raise TemporaryError(f"git {_command(arguments)} took more than {TIMEOUT_SECONDS:.0f} s") from error


def _command(arguments: tuple[str, ...]) -> str:
    """The name of the command, behind options of git's own."""
    at = 0
    while arguments[at] == "-c":
        at += 2
    return arguments[at]


def _run(command: list[str], folder: Path, variables: Mapping[str, str], stdin: bytes) -> Done:
    process = subprocess.Popen(
        command,
        cwd=folder,
        # The agent's own variables go on to git: credential helpers, proxies and SSH agents live in them.
        env={**os.environ, **_ENVIRONMENT, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Without a terminal nothing can ask a question, and the group can be ended as one.
        start_new_session=True,
    )
    try:
        out, said = process.communicate(stdin, timeout=TIMEOUT_SECONDS)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Done(process.returncode, out.decode(errors="surrogateescape"), said.decode(errors="replace"))
