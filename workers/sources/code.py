"""Code archives from the content-addressed store, unpacked with care: whoever may launch may send any bytes."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from broker_config import jobs
from broker_config.errors import CodeNotStored, ConfigError, TemporaryError
from broker_config.states import FailureClass, Reason
from broker_config.store.code import CodeStore
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.sources.protocol import Fetched

MAX_UNPACKED_BYTES = 4 * 1024**3
"""A small archive can hold enormous files of zeros, and the disk is everybody's."""

MAX_MEMBERS = 200_000

IN_MEMORY_BYTES = 4 * 1024**2
"""Larger archives wait on the disk to be unpacked."""


class CodeSource:
    """Unpacks the archive that a producer has stored."""

    def __init__(self, code: CodeStore, home: Path, config: AgentConfig) -> None:
        self._code = code

    def fetch(self, source: jobs.CodeSource, folder: Path, part: str | None = None) -> Fetched:
        # Nothing is unpacked before all of it has come, and is what the digest says.
        with SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder.parent)) as archive:
            try:
                self._code.get(source.digest, archive)
            except (CodeNotStored, ConfigError) as error:
                raise _unavailable(str(error)) from error
            archive.seek(0)
            self._unpack(source, archive, folder)
        return Fetched(digest=source.digest, folder=folder)

    def _unpack(self, source: jobs.CodeSource, archive: IO[bytes], folder: Path) -> None:
        try:
            with tarfile.open(fileobj=archive, mode="r:gz") as members:
                _unpack(members, folder)
        except (tarfile.TarError, zlib.error, EOFError, FileExistsError) as error:
            raise _unavailable(f"the code archive {source.digest} cannot be unpacked: {error}") from error
        except OSError as error:
            raise TemporaryError(f"the code archive {source.digest} could not be unpacked here: {error}") from error


def _unpack(members: tarfile.TarFile, folder: Path) -> None:
    total = 0
    for count, member in enumerate(members, start=1):
        total += member.size
        if total > MAX_UNPACKED_BYTES or count > MAX_MEMBERS:
            raise tarfile.TarError(
                f"it holds more than {MAX_UNPACKED_BYTES // 1024**3} GiB or {MAX_MEMBERS:,} files; keep data out of "
                "it with .launchyardignore"
            )
        _place(members, member, folder.resolve())


def _place(members: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Make one file, folder or symbolic link, in the folder and nowhere else.

    The tarfile module's own filters came with Python 3.11.4, and distributions ship older ones.
    """
    path = folder / member.name
    # A link that came before could lead out of the folder, so none may be on the way.
    if ".." in path.parts or path.parent.resolve() != path.parent or not path.is_relative_to(folder):
        raise tarfile.TarError(f"{member.name!r} would be outside the folder")
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = members.extractfile(member) if member.isreg() else None
    if content is not None:
        # "x": a link of this name is not followed, it is an error.
        with path.open("xb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
    elif member.issym() and (path.parent / member.linkname).resolve().is_relative_to(folder):
        path.symlink_to(member.linkname)
    else:
        raise tarfile.TarError(f"{member.name!r} is a device, a hard link, or a link that leads out of the folder")


def _unavailable(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.SOURCE_UNAVAILABLE, text)
