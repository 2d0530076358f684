"""What a folder of code wants to have installed, and which of its files that takes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from broker_config.runs import FailureClass, Reason
from workers.failures import RunFailed

REQUIREMENTS_FILES = ("requirements.txt", "requirements.frozen.txt")
PYPROJECT = "pyproject.toml"

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")
_USES_THE_CODE = re.compile(r"(?:\.|/|file:|-e\b|--editable\b|-f\b|--find-links\b)|.*@ *file:")
_PLAIN_PATH = re.compile(r"[\w./-]+")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What to give to `pip install`."""

    origin: str = ""  # the file that says so; empty: there is none
    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # that the install reads; without them, all of the code is needed before it
    needs_code: bool = False


def dependencies(folder: Path) -> Dependencies:
    """Those of a folder: requirements.txt, else pyproject.toml, else requirements.frozen.txt.

    Raises:
        RunFailed: when the file cannot be read.
    """
    plain, frozen = REQUIREMENTS_FILES
    if (folder / plain).is_file():
        return _from_requirements(folder, plain)
    if (folder / PYPROJECT).is_file() and (found := _from_pyproject(folder)).arguments:
        return found
    return _from_requirements(folder, frozen) if (folder / frozen).is_file() else Dependencies()


def _from_requirements(folder: Path, name: str) -> Dependencies:
    files: list[str] = []
    pending = [PurePosixPath(name)]
    needs_code = False
    while pending:
        path = pending.pop()
        if str(path) in files:
            continue
        if not _is_plain_file(folder, path):
            # pip, which sees the same folder, says what is wrong with it.
            needs_code = True
            continue
        files.append(str(path))
        for line in (folder / path).read_text(errors="replace").splitlines():
            if include := _INCLUDE.match(line.strip()):
                pending.append(path.parent / include[1])
            elif _USES_THE_CODE.match(line.strip()):
                needs_code = True
    return Dependencies(name, ("-r", name), tuple(files), needs_code)


def _is_plain_file(folder: Path, path: PurePosixPath) -> bool:
    inside = _PLAIN_PATH.fullmatch(str(path)) is not None and ".." not in path.parts and not path.is_absolute()
    return inside and (folder / path).is_file() and (folder / path).resolve().is_relative_to(folder.resolve())


def _from_pyproject(folder: Path) -> Dependencies:
    try:
        data = tomllib.loads((folder / PYPROJECT).read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(f"it cannot be read: {error}") from error
    project: Any = data.get("project", {})
    listed = project.get("dependencies", []) if isinstance(project, dict) else []
    if not isinstance(listed, list) or not all(isinstance(item, str) and item[:1].isalnum() for item in listed):
        raise _wrong("[project] dependencies must be a list of requirements, such as ['numpy>=2']")
    return Dependencies(PYPROJECT, tuple(listed), needs_code=any(_USES_THE_CODE.match(item) for item in listed))


def _wrong(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.BUILD_FAILED, f"the job's {PYPROJECT}: {text}")
