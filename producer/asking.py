"""The programs of `workers` that answer one question: a document on their stdin, and one on their stdout."""

from __future__ import annotations

import subprocess
import sys

from broker_config.errors import LaunchyardError
from broker_config.frozen import Frozen
from broker_config.settings import Settings, environment_for

_END_SECONDS = 30


def ask(program: str, question: Frozen, settings: Settings, *, shows_stderr: bool = False) -> str:
    """What the program answers. What it prints to stderr is an error, or is shown while it runs.

    Raises:
        LaunchyardError: when it ends without an answer.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with subprocess.Popen(
        [sys.executable, "-m", program],
        env=environment_for(settings),
        # Out of the caller's folder: modules there could stand before our own.
        cwd=settings.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if shows_stderr else subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            answer, said = process.communicate(question.model_dump_json())
        except KeyboardInterrupt:
            # The terminal has told the program too, which may have something to end.
            process.wait(_END_SECONDS)
            raise
    if process.returncode:
        raise LaunchyardError(f"{program} ended with {process.returncode}: {(said or 'see above').strip()}")
    return answer
