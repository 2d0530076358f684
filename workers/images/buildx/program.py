"""Which buildx there is, and what it can."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

_VERSION_SECONDS = 10
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.\d+")
_FIRST_WITH_RAWJSON = (0, 13)


@dataclass(frozen=True, slots=True)
class Buildx:
    """The docker CLI's buildx."""

    release: tuple[int, int]  # major and minor

    @property
    def progress(self) -> str:
        """The best way in which it tells of a build."""
        return "rawjson" if self.release >= _FIRST_WITH_RAWJSON else "plain"


def find() -> Buildx | None:
    """The one that can be run here, if any."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        found = subprocess.run(
            [docker, "buildx", "version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if found.returncode:
        return None
    # A build from a branch names a commit, and is newer than every release.
    match = _VERSION.search(found.stdout)
    return Buildx((int(match[1]), int(match[2])) if match else _FIRST_WITH_RAWJSON)
