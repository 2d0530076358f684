"""How the dependencies of code are installed in a written Dockerfile: the lines with RUN.

Source of the options: "Using uv in Docker" and "Commands" of uv's documentation, and micromamba's user guide.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from workers.images.dependencies import Dependencies, Kind

UV_VERSION = "0.13.9"
UV = "/uv"
"""Where the stage with uv has it, as uv's own image does."""

CONDA_ENVIRONMENT = "/opt/conda/envs/job"

SECRET_FILES = {"netrc": "/run/secrets/netrc", "pip.conf": "/etc/pip.conf", "uv.toml": "/etc/uv/uv.toml"}
"""Build secrets that a written Dockerfile uses when the agent has one of that id: where uv and pip look for them."""

# With the option --system, uv would not take one that is in an environment of the base image.
_ANY_PYTHON = ' --python "$(command -v python3)"'

_TORCH_INDEX = "https://download.pytorch.org/whl/"


@dataclass(frozen=True, slots=True)
class Installer:
    """What stands around each command: how packages are cached, which secrets it sees, whose Python it installs for."""

    mounts: bool
    secrets: tuple[str, ...]  # ids that are among SECRET_FILES
    any_python: bool  # the base image brings its own, which may be the system's

    def stage(self) -> str:
        """The line that has uv at its place, in a stage of its own so that no image carries it."""
        install = f'python -m pip install --no-cache-dir uv=={UV_VERSION} && cp "$(command -v uv)" {UV}'
        return f"RUN {self._secret_mounts()}{install}"

    def run_shell(self, command: str) -> str:
        """A command of the shell, which may call uv."""
        return f"RUN {self._all_mounts()}{command}"

    def dependencies(self, found: Dependencies) -> Iterator[str]:
        """The lines for what code wants, before or after the code is there."""
        match found.kind:
            case Kind.NONE:
                return
            case Kind.UV_LOCK:
                yield self._from_uv_lock()
            case Kind.CONDA:
                yield self._from_conda(found)
            case Kind.FROZEN:
                yield self._from_frozen(found)
            case _:
                yield self._install(*found.arguments)

    def package(self) -> str:
        """The line that installs the code itself, as the project's own tool would."""
        return self._install("--no-deps", "--editable", ".")

    def _install(self, *words: str) -> str:
        """In the JSON form, in which no shell reads requirements, which hold '>' and '<'."""
        command = [*self._pip_install(), *words]
        if self.any_python:
            command = ["sh", "-c", f'exec "$@"{_ANY_PYTHON}', "sh", *command]
        return f"RUN {self._all_mounts()}{json.dumps(command)}"

    def _shell_install(self, *words: str) -> str:
        return shlex.join([*self._pip_install(), *words]) + (_ANY_PYTHON if self.any_python else "")

    def _from_uv_lock(self) -> str:
        listed = "/tmp/requirements.txt"  # inside the image
        export = [UV, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-workspace", "--output-file", listed]
        install = self._shell_install("-r", listed)
        return self.run_shell(f"{shlex.join(export)} && {install} && rm {listed}")

    def _from_frozen(self, found: Dependencies) -> str:
        """All at once; when that fails, one by one, and those that fail are told and left out."""
        index: tuple[str, ...] = ()
        if found.torch:
            index = ("--extra-index-url", _TORCH_INDEX + found.torch, "--index-strategy", "unsafe-best-match")
        return self.run_shell(
            self._shell_install(*index, *found.arguments)
            + ' || while read -r line || [ -n "$line" ]; do case "$line" in ""|"#"*) continue;; esac;'
            f' {self._shell_install(*index, "--no-deps")} "$line"'
            ' || echo "WARNING: $line could not be installed; the job runs without it";'
            f" done < {Kind.FROZEN}"
        )

    def _from_conda(self, found: Dependencies) -> str:
        words = ["micromamba", "create", "--yes", "--prefix", CONDA_ENVIRONMENT, "--file", found.files[0]]
        cache = "--mount=type=cache,target=/opt/conda/pkgs " if self.mounts else ""
        clean = "" if self.mounts else " && micromamba clean --all --yes"
        return f"RUN {cache}{self._secret_mounts()}{shlex.join(words)}{clean}"

    def _pip_install(self) -> list[str]:
        python = "--break-system-packages" if self.any_python else "--system"
        cache = "--link-mode=copy" if self.mounts else "--no-cache"
        return [UV, "pip", "install", python, cache, "--compile-bytecode"]

    def _all_mounts(self) -> str:
        if not self.mounts:
            return ""
        uv = f"--mount=type=bind,from=uv,source={UV},target={UV} --mount=type=cache,target=/root/.cache/uv "
        return uv + self._secret_mounts()

    def _secret_mounts(self) -> str:
        return "".join(f"--mount=type=secret,id={name},target={SECRET_FILES[name]} " for name in self.secrets)
