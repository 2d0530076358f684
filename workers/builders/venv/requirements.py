"""What a job's code asks to have installed, and which texts decide that."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed

_INCLUDE = re.compile(r"^(?:-r|--requirement|-c|--constraint)(?:\s+|=)(?P<file>\S+)")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s|=)")
_LOCAL = re.compile(
    r"""
    ^ (?: \. | / | file: )                            # ./package, /data/package, file:...
    | @ \s* (?: \. | / | file: )                      # package @ file:...
    | ^ [^\s:@]+ (?: / | \.whl | \.zip | \.tar\.gz )  # packages/one, one-1.0-py3-none-any.whl
    | ^ (?: -f | --find-links ) [\s=]+ (?! \w+:// )   # a folder of wheels
    """,
    re.VERBOSE,
)
"""A line that installs from a path (the format is described in pip's documentation, Requirements File Format)."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What to install. `lines` go to the installer; `texts` are all that can change the outcome.

    `needs_code`: something is installed from the code itself, so the code is part of the content too.
    """

    lines: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    needs_code: bool = False


def read_requirements(folder: Path) -> Requirements:
    """From `requirements.txt`, or else from `[project.dependencies]` of `pyproject.toml`, or else none.

    Raises:
        RunFailed: class CONFIG, when such a file cannot be used.
    """
    if (folder / "requirements.txt").is_file():
        return _from_requirements(folder)
    if (folder / "pyproject.toml").is_file():
        lines = tuple(_dependencies(_table(folder, "project")))
        return Requirements(lines, (*lines, _index_settings(folder)), any(map(_LOCAL.search, lines)))
    return Requirements()


def _from_requirements(folder: Path) -> Requirements:
    texts: list[str] = []
    needs_code = False
    for path in _included(folder, folder / "requirements.txt", set()):
        lines = [*_meaning(path)]
        for line in lines:
            if _EDITABLE.match(line):
                raise _cannot_work(
                    f"{path.name} asks for {line!r}, which would tie the shared environment to the code of one run; "
                    f"write {line.partition(' ')[2].strip() or '.'!r} without -e, or leave it out: a job starts in "
                    "its code's folder and can import from there"
                )
            needs_code |= bool(_LOCAL.search(line))
        texts.append("\n".join(lines))
    return Requirements((f"-r {folder / 'requirements.txt'}",), (*texts, _index_settings(folder)), needs_code)


def _included(folder: Path, path: Path, seen: set[Path]) -> Iterator[Path]:
    """A requirements file and those that it names, each once."""
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()) or not resolved.is_file():
        raise _cannot_work(f"the requirements name the file {path.name}, which is not in the code; add it")
    if resolved in seen:
        return
    seen.add(resolved)
    yield path
    for line in _meaning(path):
        include = _INCLUDE.match(line)
        if include and "://" not in include["file"]:
            yield from _included(folder, path.parent / include["file"], seen)


def _meaning(path: Path) -> Iterator[str]:
    """Lines without comments and blanks, continued ones joined: what a change of changes the outcome."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _cannot_work(f"{path.name} is not UTF-8 text: {error}; save it as UTF-8") from error
    for line in text.replace("\\\n", " ").splitlines():
        meaning = re.sub(r"(^|\s)#.*$", "", line).strip()
        if meaning:
            yield meaning


def _index_settings(folder: Path) -> str:
    """What the code tells uv about indexes and versions, which it reads where it runs."""
    own = folder / "uv.toml"
    text = own.read_text(encoding="utf-8", errors="replace") if own.is_file() else ""
    return text + json.dumps(_table(folder, "tool").get("uv", {}), sort_keys=True, default=str)


def _table(folder: Path, name: str) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get(name, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _cannot_work(f"pyproject.toml cannot be read: {error}") from error
    return table


def _dependencies(project: dict[str, Any]) -> list[str]:
    if "dependencies" in project.get("dynamic", ()):
        raise _cannot_work(
            "pyproject.toml computes its dependencies when it is built ('dynamic'), so they cannot be read; add a "
            "requirements.txt"
        )
    dependencies = project.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(one, str) for one in dependencies):
        raise _cannot_work("project.dependencies in pyproject.toml must be a list of strings")
    return dependencies


def _cannot_work(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
