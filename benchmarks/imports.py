"""What an import costs a fresh process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

ROUNDS = 7


def milliseconds(statement: str) -> float:
    """CPU ms of a fresh process with this statement, less those of an empty one; the best of some rounds."""
    return _cpu(statement) - _cpu("pass")


def _cpu(statement: str) -> float:
    best = float("inf")
    # The first round compiles what no one has compiled yet, as an installation does.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best * 1000
