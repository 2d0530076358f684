"""Processes of this machine, those of containers on it too."""

from __future__ import annotations

import psutil


def is_running(program: str, argument: str) -> bool:
    """Whether a process of that program has that argument."""
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return any(line[:1] and line[0].endswith(program) and argument in line for line in lines)
