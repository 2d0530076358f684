"""How a job is started by a small program that goes along in its variables, where a platform has no better way.

The program reads secrets and becomes the job's own. Its text comes as the job is submitted and is no part of the
request, so agents of two versions give the same one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

PREFIX = "LAUNCHYARD_SECRET_"
"""Before the name of a variable in the name of the one that has the reference to its value."""

_PROGRAM = "LAUNCHYARD_START_"
_LOADER = (
    "import os;e=os.environ;"
    f"exec(''.join(e.pop(k)for k in sorted(e)if k.startswith({_PROGRAM!r})),{{'__name__':'__main__'}})"
)
"""One line, as SageMaker takes no other."""

_WITH_ANY_PYTHON = (
    'command -v python3 >/dev/null 2>&1 && exec python3 -c "$0" "$@"; '
    'echo "launchyard: this image has no python3, so the job starts without its secrets" >&2; exec "$@"'
)


def started(entry_point: Sequence[str]) -> list[str]:
    """The entry point behind the program that reads the secrets: in its own Python, or in what the image has."""
    if re.fullmatch(r"(\S*/)?python[\d.]*", entry_point[0]):
        return [entry_point[0], "-c", _LOADER, *entry_point]
    return ["/bin/sh", "-c", _WITH_ANY_PYTHON, _LOADER, *entry_point]


def variables_of(program: Path, limit: int) -> dict[str, str]:
    """The program in parts of so many characters, each a variable of the job."""
    # Without what it tells to its readers.
    text = program.read_text(encoding="utf-8").split('"""', 2)[2]
    parts = [text[start : start + limit] for start in range(0, len(text), limit)]
    return {f"{_PROGRAM}{place:02}": part for place, part in enumerate(parts)}
