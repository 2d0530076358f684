"""uv, or venv and pip: the commands that make an environment and fill it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from broker_config.errors import ConfigError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version of Python that this agent runs on, and that a job gets which names none."""


class Installer(Protocol):
    """The two commands of a build; both also compile to bytecode, so that every run's imports are fast."""

    @property
    def name(self) -> str: ...

    def create(self, environment: Path, version: str) -> list[str]:
        """Makes the empty environment. Raises `RunFailed` (CONFIG) when there is no such Python."""
        ...

    def install(self, environment: Path, requirements: Path, args: Sequence[str]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Uv:
    """uv (https://docs.astral.sh/uv): about ten times faster, and finds other versions of Python."""

    program: tuple[str, ...]
    downloads_python: bool
    name: str = "uv"

    def create(self, environment: Path, version: str) -> list[str]:
        python = sys.executable if version == RUNNING else version
        downloads = [] if self.downloads_python else ["--no-python-downloads"]
        return [*self.program, "venv", "--no-progress", *downloads, "--python", python, str(environment)]

    def install(self, environment: Path, requirements: Path, args: Sequence[str]) -> list[str]:
        python = str(environment / "bin" / "python")
        options = ["--no-progress", "--compile-bytecode", "--python", python]
        return [*self.program, "pip", "install", *options, *args, "-r", str(requirements)]


@dataclass(frozen=True, slots=True)
class Pip:
    """The standard library's venv with the pip that it brings."""

    name: str = "pip"

    def create(self, environment: Path, version: str) -> list[str]:
        python = sys.executable if version == RUNNING else shutil.which(f"python{version}")
        if python is None:
            raise no_such_python(version)
        return [python, "-I", "-m", "venv", str(environment)]

    def install(self, environment: Path, requirements: Path, args: Sequence[str]) -> list[str]:
        python = str(environment / "bin" / "python")
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--compile"]
        return [python, "-I", "-m", "pip", "install", *options, *args, "-r", str(requirements)]


def choose_installer(wanted: str | None, downloads_python: bool) -> Installer:
    """uv where there is one, unless the config says otherwise.

    Raises:
        ConfigError: when this machine has not what is wanted.
    """
    program = find_uv()
    if wanted != "pip" and program is not None:
        return Uv(program, downloads_python)
    if wanted == "uv":
        raise ConfigError(f"builder venv: there is no uv on the PATH; install it: {sys.executable} -m pip install uv")
    if find_spec("ensurepip") is None:
        raise ConfigError(
            "builder venv: this Python cannot make environments (ensurepip is missing); install the system's package "
            f"python{RUNNING}-venv, or uv"
        )
    return Pip()


def no_such_python(version: str, said: str = "") -> RunFailed:
    return RunFailed(
        FailureClass.CONFIG,
        Reason.CONFIG_INVALID,
        f"the job asks for Python {version}, and this agent's machine has none; install python{version} there, set "
        f"`download_python: true` in the builder's config (with uv), or launch the job with python_version {RUNNING} "
        f"or without one\n{said}".rstrip(),
    )


def find_uv() -> tuple[str, ...] | None:
    """How to call uv: as a package of this Python, beside it, or on the PATH; None where there is none."""
    if find_spec("uv") is not None:
        return (sys.executable, "-m", "uv")
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    return (found,) if found else None
