"""The Dockerfile of a build: the job's own, or one that is written for its code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from broker_config.jobs import Job
from broker_config.runs import FailureClass, Reason
from workers.failures import RunFailed
from workers.images.dependencies import Dependencies, dependencies

OWN_NAMES = ("Dockerfile.launchyard", "Dockerfile.wandb", "Dockerfile")
"""Looked for in this order when the job names none."""

AGENT_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_USER_ID = 1000

# Written by hand, because every image that has a shell has echo and mkdir, and not every one has useradd. The entry in
# passwd matters: without it, getpass.getuser() fails, which PyTorch among others calls.
_USER = (
    f"RUN echo 'job:x:{_USER_ID}:' >> /etc/group"
    f" && echo 'job:x:{_USER_ID}:{_USER_ID}::/home/job:/bin/sh' >> /etc/passwd"
    f" && mkdir -p /home/job /job && chown {_USER_ID}:{_USER_ID} /home/job /job"
)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What is built, and where it came from."""

    text: str
    origin: str  # in words, for the build's log
    path: str | None = None  # inside the code, of the job's own


def dockerfile(job: Job, folder: Path, *, cache_mounts: bool) -> Dockerfile:
    """The Dockerfile for a job's code. `cache_mounts` may be used in a written one if the builder is BuildKit.

    Raises:
        RunFailed: class CONFIG, when the one that the job names is not there, or its dependencies cannot be read.
    """
    for name in (job.dockerfile,) if job.dockerfile else OWN_NAMES:
        path = folder / name
        if path.is_file():
            if not path.resolve().is_relative_to(folder.resolve()):
                raise _cannot_use(f"{name!r} is a link that leaves the source")
            return Dockerfile(path.read_text(errors="replace"), name, name)
    if job.dockerfile:
        raise _cannot_use(f"{job.dockerfile!r} is not in the source; paths are relative to its top")
    found = dependencies(folder)
    origin = (
        f"a Dockerfile written from {found.origin}" if found.origin else "a Dockerfile written without dependencies"
    )
    return Dockerfile("\n".join(_lines(job.python_version or AGENT_PYTHON, found, cache_mounts)) + "\n", origin)


def unused(job: Job, folder: Path) -> str | None:
    """The Dockerfile.wandb beside the job's script, where W&B Launch would build from the script's folder alone."""
    if job.dockerfile:
        return None
    paths = (PurePosixPath(word).parent / "Dockerfile.wandb" for word in job.entry_point if "/" in word.strip("/"))
    inside = (path for path in paths if not path.is_absolute() and ".." not in path.parts)
    return next((str(path) for path in inside if (folder / path).is_file()), None)


def _lines(python: str, found: Dependencies, cache_mounts: bool) -> Iterator[str]:
    """Layers from the one that changes least to the one that changes with every commit."""
    yield f"FROM python:{python}-slim"
    yield "ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore"
    yield _USER
    yield "WORKDIR /job"
    copy = f"COPY --chown={_USER_ID}:{_USER_ID} . ."
    if found.needs_code:
        yield copy
    else:
        yield from (f'COPY ["{name}", "{name}"]' for name in found.files)
    if found.arguments:
        yield _install(found.arguments, cache_mounts)
    if not found.needs_code:
        yield copy
    yield f"USER {_USER_ID}:{_USER_ID}"


def _install(arguments: tuple[str, ...], cache_mounts: bool) -> str:
    mount = "--mount=type=cache,target=/root/.cache/pip " if cache_mounts else ""
    keep = [] if cache_mounts else ["--no-cache-dir"]
    # In the JSON form no shell reads the requirements, which hold '>' and '<'.
    return f"RUN {mount}{json.dumps(['python', '-m', 'pip', 'install', *keep, *arguments])}"


def _cannot_use(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.BUILD_FAILED, f"the job's Dockerfile {text}")
