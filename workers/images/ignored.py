"""What of the code stays out of an image, in the syntax of `.dockerignore`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

IGNORE_FILE = ".launchyardignore"

DEFAULT = (".git", ".hg", ".svn", ".venv", "**/__pycache__", "**/*.pyc")
"""Left out of the image of code that has no ignore file, when the Dockerfile is a written one."""


def ignored(folder: Path, dockerfile: str | None) -> tuple[str, ...]:
    """The patterns for a build of this folder, with its Dockerfile at that path; None: one that is written for it.

    The first that is there decides: `.launchyardignore` (in the syntax of git's, as for packing), the one that stands
    beside the Dockerfile with its name, `.dockerignore`.
    """
    if (own := _patterns(folder / IGNORE_FILE)) is not None:
        return tuple(pattern for line in own for pattern in _of_git(line))
    for name in (f"{dockerfile}.dockerignore", ".dockerignore") if dockerfile else (".dockerignore",):
        if (patterns := _patterns(folder / name)) is not None:
            return tuple(patterns)
    return () if dockerfile else DEFAULT


def _patterns(path: Path) -> Sequence[str] | None:
    if not path.is_file():
        return None
    lines = map(str.strip, path.read_text(errors="replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _of_git(line: str) -> Iterable[str]:
    """git takes a name without a slash for one in any folder; docker takes it for one at the top."""
    sign = "!" if line.startswith("!") else ""
    name = line.removeprefix("!").rstrip("/")
    if not name:
        return
    yield sign + (name.removeprefix("/") if "/" in name else f"**/{name}")
