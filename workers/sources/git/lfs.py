"""Large files that a repository has elsewhere (Git LFS): brought by the program git-lfs, or the run fails."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

from workers.sources.git.failures import masked, unavailable

_URL = re.compile(r"(?:https?|ssh)://.*|[\w.-]+@[\w.-]+:(?!//).*", re.IGNORECASE)

FILES = ":(attr:filter=lfs)"
"""Those that Git LFS has, as a pathspec of git's."""

WITH = (
    *("-c", "filter.lfs.process=git-lfs filter-process"),
    *("-c", "filter.lfs.required=true"),
    # A repository may wish that some of its files stay pointers, which no job could read.
    *("-c", "lfs.fetchinclude="),
    *("-c", "lfs.fetchexclude="),
)
WITHOUT = (
    # The user or the system may have a filter of that name configured.
    *("-c", "filter.lfs.process="),
    *("-c", "filter.lfs.smudge="),
    *("-c", "filter.lfs.required=false"),
)


def is_installed() -> bool:
    """Whether this machine has the program."""
    return shutil.which("git-lfs") is not None


def check_urls(repository: str, settings: Iterable[str]) -> None:
    """Refuse a repository whose `.lfsconfig` leads to something else than a host; `settings` are lines name, value.

    Raises:
        RunFailed: when it does.
    """
    for setting in settings:
        name, _, value = setting.partition("\n")
        if name.endswith("url") and not _URL.fullmatch(value):
            raise unavailable(
                f"repository {masked(repository)} has its large files at {masked(value)!r}, as {name} in .lfsconfig "
                "says; they can be had over https:// and ssh:// only"
            )


def check_pointers(repository: str, entries: Iterable[str]) -> None:
    """Refuse a checkout that has pointers in place of files; `entries` are as of `git ls-files -t`.

    Raises:
        RunFailed: when it has one.
    """
    pointers = [entry.removeprefix("H ") for entry in entries if entry.startswith("H ")]
    if pointers:
        raise unavailable(
            f"repository {masked(repository)} has {len(pointers)} files in Git LFS, such as {pointers[0]!r}, and this "
            "agent's machine has no git-lfs; install it there"
        )
