"""Python environments for jobs that run as processes on the agent's machine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.builders.venv.commands import Surroundings, run_command, stop_if_cancelled
from workers.builders.venv.installers import RUNNING, choose_installer, no_such_python
from workers.builders.venv.requirements import Requirements, read_requirements
from workers.config.builder import VenvConfig
from workers.failures import RunFailed

_FORMAT = 1
"""Part of every key: a change in how environments are made counts it up."""

_READY = "launchyard-ready"
_LOCK_LOOK_SECONDS = 0.2

_TEMPORARY = re.compile(
    r"error sending request|dns error|failed to lookup address|timed out|temporary failure in name resolution"
    r"|newconnectionerror|connection (?:refused|reset|aborted)|no space left on device|too many requests"
    r"|\b50[0-4] (?:server error|bad gateway|service unavailable|gateway time)",
    re.IGNORECASE,
)
"""What uv and pip say when the index, the network or the disk is at fault."""


class VenvBuilder:
    """Makes each environment once a machine, in `<home>/environments/<key>`.

    An environment cannot be moved, so it is made in its place, under a lock that all agents of the machine respect,
    and counts from the moment when its last file, the ready marker, is there.
    """

    pushes: ClassVar[bool] = False

    def __init__(self, home: Path, config: VenvConfig) -> None:
        self._config = config
        self._installer = choose_installer(config.installer, config.download_python)
        self._folder = home / "environments"
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def place(self) -> str:
        return f"{socket.gethostname()}:{self._folder}"

    def check(self) -> Sequence[str]:
        return []

    def remove(self, key: str, reference: str) -> str:  # noqa: ARG002
        path = self._folder / key
        # First, so that no run finds half an environment.
        (path / _READY).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        return ""

    def key(self, order: BuildOrder) -> str:
        requirements = read_requirements(_code(order))
        content = {
            "format": _FORMAT,
            "python": order.job.python_version or RUNNING,
            "platform": sysconfig.get_platform(),
            "texts": requirements.texts,
            "code": order.fetched.digest if requirements.needs_code else None,
            "install_args": self._config.install_args if requirements.lines else None,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        path = self._folder / key
        # The Python that it was made from may be gone; a link to nothing does not exist.
        is_ready = (path / _READY).exists() and (path / "bin" / "python").exists()
        return Artifact(ArtifactKind.ENVIRONMENT, str(path)) if is_ready else None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        code = _code(order)
        try:
            with self._locked(key, cancelled) as lock:
                if (artifact := self.find(order, key)) is not None:
                    log("another agent has made the environment meanwhile")
                    return artifact
                self._make(order, self._folder / key, Surroundings(code, lock, log, cancelled))
        except OSError as error:
            raise TemporaryError(f"the environment could not be made: {error}") from error
        return Artifact(ArtifactKind.ENVIRONMENT, str(self._folder / key))

    def _make(self, order: BuildOrder, path: Path, around: Surroundings) -> None:
        version = order.job.python_version or RUNNING
        shutil.rmtree(path, ignore_errors=True)
        around.log(f"making a Python {version} environment with {self._installer.name}")
        try:
            outcome = run_command(self._installer.create(path, version), around)
            if outcome.code:
                raise _not_created(version, outcome.lines)
            self._install(read_requirements(around.folder), path, around)
            (path / _READY).touch()
        finally:
            # What a kill leaves behind has no marker either, and is removed by the next build.
            if not (path / _READY).exists():
                shutil.rmtree(path, ignore_errors=True)

    def _install(self, requirements: Requirements, path: Path, around: Surroundings) -> None:
        if not requirements.lines:
            around.log("the code names no requirements: the environment has the standard library only")
            return
        listed = path / "launchyard-requirements.txt"
        listed.write_text("\n".join(requirements.lines) + "\n", encoding="utf-8")
        outcome = run_command(self._installer.install(path, listed, self._config.install_args), around)
        if outcome.code:
            raise _failed("installing the requirements", outcome.lines)

    @contextmanager
    def _locked(self, key: str, cancelled: Callable[[], bool]) -> Iterator[int]:
        """Hold this key's lock. It lasts until the last installer is gone, also one that outlives a killed agent."""
        lock = os.open(self._folder / f"{key}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            while not _try_lock(lock):
                stop_if_cancelled(cancelled)
                time.sleep(_LOCK_LOOK_SECONDS)
            stop_if_cancelled(cancelled)
            yield lock
        finally:
            os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _code(order: BuildOrder) -> Path:
    """The folder of the job's code.

    Raises:
        RunFailed: class CONFIG, when the job brings an image.
    """
    if order.fetched.folder is None:
        raise RunFailed(
            FailureClass.CONFIG,
            Reason.CONFIG_INVALID,
            f"the job's source is the image {order.fetched.image!r}, and this queue runs jobs as processes on the "
            "agent's machine; launch it on a queue with resource docker, or launch from code or git",
        )
    return order.fetched.folder


def _not_created(version: str, lines: Sequence[str]) -> RunFailed | TemporaryError:
    said = "\n".join(lines)
    if version == RUNNING or _TEMPORARY.search(said):
        return _failed("creating it", lines)
    return no_such_python(version, said)


def _failed(step: str, lines: Sequence[str]) -> RunFailed | TemporaryError:
    said = "\n".join(lines)
    if _TEMPORARY.search(said):
        return TemporaryError(f"the environment could not be made ({step}):\n{said}", delay_seconds=15.0)
    return RunFailed(
        FailureClass.BUILD,
        Reason.BUILD_FAILED,
        f"the environment could not be made: {step} failed. Correct requirements.txt (or the dependencies in "
        f"pyproject.toml) and launch again. The last lines:\n{said}",
    )
