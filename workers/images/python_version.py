"""The version of Python that code is to run with."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from broker_config.jobs import Job

AGENT_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_PINNED = re.compile(r"\s*(?:cpython[-@]|python)?(3\.\d+)(?:\.\d+)?\s*$", re.MULTILINE)
_NEWEST = 14
_OLDEST = 8


def python_version(job: Job, folder: Path) -> str | None:
    """As the job says, else `.python-version`, else `requires-python` of pyproject.toml; None: nobody says."""
    if job.python_version:
        return job.python_version
    pinned = folder / ".python-version"
    if pinned.is_file() and (match := _PINNED.match(pinned.read_text(errors="replace"))):
        return match[1]
    return _required(folder / "pyproject.toml")


def _required(path: Path) -> str | None:
    """The agent's Python if the project takes it, else the newest that it takes."""
    try:
        project: Any = tomllib.loads(path.read_text()).get("project", {}) if path.is_file() else {}
        wanted = SpecifierSet(project.get("requires-python", "")) if isinstance(project, dict) else SpecifierSet()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, InvalidSpecifier, AttributeError):
        # Whoever reads the file for its dependencies says what is wrong with it.
        return None
    versions = (AGENT_PYTHON, *(f"3.{minor}" for minor in range(_NEWEST, _OLDEST - 1, -1)))
    # A bound may name a patch, such as >=3.11.4: the image has the last one of its minor version.
    return next((one for one in versions if wanted.contains(f"{one}.99")), None) if str(wanted) else None
