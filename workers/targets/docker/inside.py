"""What a container is given besides its image before it starts: the job's code, and values that no request holds."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workers.targets.docker.engine import Engine

CODE_FOLDER = "/job"
"""Where the code of a job on a base image is, as it is in the images that the docker builder makes."""


def bring_code(engine: Engine, name: str, folder: Path) -> None:
    """Copy the code into a container that has not started; copying it again changes nothing.

    A copy and not a mount, because the engine may have another file system than this agent: on another machine, or
    outside of the agent's own container.
    """
    with engine.answering(), tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname=CODE_FOLDER, filter=_for_any_user)
        packed.seek(0)
        engine.api.put_archive(name, "/", packed)


def _for_any_user(member: tarfile.TarInfo) -> tarfile.TarInfo:
    # Which user the image runs as is not known here, and nobody else is in the container.
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o777 if member.isdir() or member.mode & 0o100 else 0o666
    return member


def with_secrets(container: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The container's body with variables of this agent, by name; those that it has already keep their value."""
    given = {pair.partition("=")[0] for pair in container["Env"]}
    secrets = [f"{name}={os.environ[name]}" for name in names if name in os.environ and name not in given]
    return {**container, "Env": [*container["Env"], *secrets]}
