"""The Dockerfile of a build: the job's own, or one that is written for its code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from broker_config.jobs import Job
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.images.dependencies import dependencies
from workers.images.python_version import python_version
from workers.images.written import Means, written


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What is built, and where it came from."""

    text: str
    origin: str  # in words, for the build's log
    context: Path
    path: str | None = None  # inside the context, of the job's own


def dockerfile(job: Job, folder: Path, means: Means) -> Dockerfile:
    """The Dockerfile for a job's code.

    The one that the job names; else `Dockerfile.launchyard`; `Dockerfile.wandb` beside the job's script, whose context
    is then the script's folder, as with W&B Launch; `Dockerfile.wandb`; `Dockerfile`; else a written one.

    Raises:
        RunFailed: class CONFIG, when the one that the job names is not there, its dependencies cannot be read, or a
            written one would need secrets that this builder cannot give to a build.
    """
    if job.dockerfile:
        if not (folder / job.dockerfile).is_file():
            raise _cannot_use(f"{job.dockerfile!r} is not in the source; paths are relative to its top")
        return _own(folder, folder, job.dockerfile)
    for context, name in _candidates(job, folder):
        if (context / name).is_file():
            return _own(folder, context, name)
    found = dependencies(folder)
    if found.origin and means.secrets and not means.mounts:
        raise _cannot_use(
            f"is written from {found.origin}, and its build takes the secret {means.secrets[0]!r}, which needs BuildKit"
        )
    origin = f"written from {found.origin}" if found.origin else "written without dependencies"
    return Dockerfile(written(found, python_version(job, folder), means), f"a Dockerfile {origin}", folder)


def _candidates(job: Job, folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder, "Dockerfile.launchyard"
    scripts = (PurePosixPath(word) for word in job.entry_point if "/" in word.strip("/"))
    for script in scripts:
        if not script.is_absolute() and ".." not in script.parts:
            yield folder / script.parent, "Dockerfile.wandb"
    yield folder, "Dockerfile.wandb"
    yield folder, "Dockerfile"


def _own(folder: Path, context: Path, name: str) -> Dockerfile:
    path = context / name
    shown = str(path.relative_to(folder))
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _cannot_use(f"{shown!r} is a link that leaves the source")
    return Dockerfile(path.read_text(errors="replace"), shown, context, name)


def _cannot_use(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.BUILD_FAILED, f"the job's Dockerfile {text}")
