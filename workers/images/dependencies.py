"""What a folder of code wants to have installed, which file says so, and which other files that takes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed

PYPROJECT = "pyproject.toml"

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")
_USES_THE_CODE = re.compile(r"(?:\.|/|file:|-e\b|--editable\b|-f\b|--find-links\b)|.*@ *file:")
_PLAIN_PATH = re.compile(r"[\w./-]+")
_FROM_PIP = re.compile(r"^\s*-\s*[\"']?(?:-r|-e|\.|/)", re.MULTILINE)
"""An item of a conda environment's `pip` list that names a file of the code."""

_UNREAD_LOCKS = {
    "poetry.lock": "poetry export --format pylock.toml --output pylock.toml",
    "pdm.lock": "pdm export --format pylock --output pylock.toml",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
}
"""Locks that uv cannot install from, and how to make one that it can."""


class Kind(StrEnum):
    """How dependencies are written down, and so installed."""

    NONE = "none"
    UV_LOCK = "uv.lock"
    PYLOCK = "pylock.toml"
    REQUIREMENTS = "requirements.txt"
    PYPROJECT = "pyproject.toml"
    CONDA = "environment.yml"
    FROZEN = "requirements.frozen.txt"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What to give to the installer."""

    kind: Kind = Kind.NONE
    origin: str = ""  # the file that says so, and what is to be known about that
    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # that the install reads; without them, all of the code is needed before it
    needs_code: bool = False
    is_package: bool = False  # the code is a package that belongs to its own dependencies
    torch: str | None = None  # the variant of PyTorch's wheels that is asked for, such as cu118


def dependencies(folder: Path) -> Dependencies:
    """Those of a folder: a lock file that uv reads, requirements.txt, pyproject.toml, environment.yml, and at last
    requirements.frozen.txt, which W&B Launch adds to its jobs.

    Raises:
        RunFailed: class CONFIG, when the file cannot be read, or is one that cannot be installed from.
    """
    project = _project(folder)
    if _has(folder, "uv.lock") and project is not None:
        is_package = "build-system" in project and _table(project, "tool", "uv").get("package") is not False
        return Dependencies(Kind.UV_LOCK, "uv.lock", files=(PYPROJECT, "uv.lock"), is_package=is_package)
    if _has(folder, "pylock.toml"):
        return Dependencies(Kind.PYLOCK, "pylock.toml", ("-r", "pylock.toml"), ("pylock.toml",))
    if _has(folder, "requirements.txt"):
        return _from_requirements(folder, "requirements.txt")
    unread = next((name for name in _UNREAD_LOCKS if _has(folder, name)), None)
    if project is not None and (found := _from_pyproject(project, unread)).arguments:
        return found
    if unread:
        raise _wrong(unread, f"uv cannot read it; write one that it can read beside it, with: {_UNREAD_LOCKS[unread]}")
    for name in ("environment.yml", "environment.yaml"):
        if _has(folder, name):
            text = (folder / name).read_text(errors="replace")
            return Dependencies(Kind.CONDA, name, files=(name,), needs_code=_FROM_PIP.search(text) is not None)
    return _from_frozen(folder) if _has(folder, Kind.FROZEN) else Dependencies()


def _has(folder: Path, name: str) -> bool:
    return _is_plain_file(folder, PurePosixPath(name))


def _from_requirements(folder: Path, name: str) -> Dependencies:
    files: list[str] = []
    pending = [PurePosixPath(name)]
    needs_code = False
    while pending:
        path = pending.pop()
        if str(path) in files:
            continue
        if not _is_plain_file(folder, path):
            # uv, which sees the same folder, says what is wrong with it.
            needs_code = True
            continue
        files.append(str(path))
        for line in (folder / path).read_text(errors="replace").splitlines():
            if include := _INCLUDE.match(line.strip()):
                pending.append(path.parent / include[1])
            elif _USES_THE_CODE.match(line.strip()):
                needs_code = True
    return Dependencies(Kind.REQUIREMENTS, name, ("-r", name), tuple(files), needs_code)


def _from_frozen(folder: Path) -> Dependencies:
    text = (folder / Kind.FROZEN).read_text(errors="replace")
    variant = re.search(r"^torch\w*==\S+\+(cpu|cu\d+|rocm[\d.]+|xpu)", text, re.MULTILINE)
    return Dependencies(
        Kind.FROZEN, Kind.FROZEN, ("-r", Kind.FROZEN), (Kind.FROZEN,), torch=variant[1] if variant else None
    )


def _is_plain_file(folder: Path, path: PurePosixPath) -> bool:
    inside = _PLAIN_PATH.fullmatch(str(path)) is not None and ".." not in path.parts and not path.is_absolute()
    return inside and (folder / path).is_file() and (folder / path).resolve().is_relative_to(folder.resolve())


def _project(folder: Path) -> dict[str, Any] | None:
    if not _has(folder, PYPROJECT):
        return None
    try:
        return tomllib.loads((folder / PYPROJECT).read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(PYPROJECT, f"it cannot be read: {error}") from error


def _table(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """The table of that name; an empty one where there is none, or something else."""
    for name in names:
        found = data.get(name)
        data = found if isinstance(found, dict) else {}
    return data


def _from_pyproject(data: dict[str, Any], unread: str | None) -> Dependencies:
    listed = _table(data, "project").get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(item, str) and item[:1].isalnum() for item in listed):
        raise _wrong(PYPROJECT, "[project] dependencies must be a list of requirements, such as ['numpy>=2']")
    origin = f"{PYPROJECT} ({unread} is not read; for its versions: {_UNREAD_LOCKS[unread]})" if unread else PYPROJECT
    uv = _table(data, "tool", "uv")
    if listed and uv.keys() & {"sources", "index"}:
        # Only uv itself knows what these mean. Every change of the file then installs anew.
        needs_code = bool(re.search(r"\b(?:path|workspace)\b", str(uv.get("sources"))))
        return Dependencies(Kind.PYPROJECT, origin, ("-r", PYPROJECT), (PYPROJECT,), needs_code)
    needs_code = any(_USES_THE_CODE.match(item) for item in listed)
    return Dependencies(Kind.PYPROJECT, origin, tuple(listed), needs_code=needs_code)


def _wrong(name: str, text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.BUILD_FAILED, f"the job's {name}: {text}")
