"""How far a build is, by what its builder prints."""

from __future__ import annotations

import re
from typing import NamedTuple

_BUILDKIT = re.compile(r"#\d+ \[(?:[^\]]* )?(\d+)/(\d+)\] ")
"""`#7 [3/5] RUN pip install`, with the stage's name before the numbers where there are several."""

_CLASSIC = re.compile(r"Step (\d+)/(\d+) : ")


class Step(NamedTuple):
    """One step of all."""

    number: int
    total: int


def step_of(line: str) -> Step | None:
    """The step that begins with this line."""
    found = _BUILDKIT.match(line) or _CLASSIC.match(line)
    return Step(int(found[1]), int(found[2])) if found else None
