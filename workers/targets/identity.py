"""How an object at a platform says whose it is: its name, and labels as far as the platform takes them."""

from __future__ import annotations

import re

from workers.targets.protocol import Workload


def prefixed(prefix: str, name: str, limit: int) -> str:
    """The run's name behind the prefix that a queue config gives, which is cut so that the whole fits.

    The end is always the run's name, so that names of ours are known, and stay apart, whatever comes before them.
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", prefix).strip("-")
    words = words[: max(0, limit - len(name) - 1)].rstrip("-")
    return f"{words}-{name}" if words else name


def identity(workload: Workload, prefix: str) -> dict[str, str]:
    """What an object is found by. Nothing in it depends on the agent: another one has to give the same request."""
    found_by = {
        "managed": "true",
        "run-id": workload.run_id,
        "attempt": str(workload.attempt),
        "queue": workload.queue,
    }
    return {prefix + name: value for name, value in found_by.items()}


def fitting(text: str, allowed: str, limit: int) -> str:
    """Text with `_` for every character that a platform does not take, cut to what it holds.

    `allowed` is the inside of a character class. The run's record has the text as it was written.
    """
    return re.sub(f"[^{allowed}]", "_", text)[:limit]
