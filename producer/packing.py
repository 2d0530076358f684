"""Local code as one archive whose bytes depend on the code alone.

The same files give the same archive on every machine and at every time, so its digest names the code: it is stored
once, built once, and two runs of it can be told to be of the same code.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from pathspec import GitIgnoreSpec

from broker_config.errors import InvalidRequest
from broker_config.jobs import CodeSource
from producer.progress import Meter, Progress, Watched

IGNORE_FILES = (".launchyardignore", ".gitignore")
"""Where patterns are read, in gitignore syntax, in the folder that is packed. The first that exists counts alone."""

NEVER_PACKED = frozenset({".git", "__pycache__", ".venv"})
"""Names that are left out whatever the ignore file says. A folder with a `pyvenv.cfg` is left out like `.venv`."""

IN_MEMORY_BYTES = 4 * 1024**2
"""Larger archives are written to the disk."""

_COMPRESSION = 6  # a constant: another level would give the same code another digest
_LARGEST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Archive:
    """A packed folder: tar, gzip."""

    file: IO[bytes]  # in memory, or a temporary file that goes with it
    source: CodeSource  # what a job names once the archive is in the store


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file, folder or link to be packed."""

    path: Path
    inside: str  # path in the archive
    status: os.stat_result


class _TooLarge(Exception):
    """The archive has grown over its limit; it is not finished, so that a folder of data is refused soon."""


class _Sink(io.RawIOBase):
    """Takes an archive up to a limit, with its digest: in memory while it is small, then on the disk."""

    def __init__(self, max_bytes: int) -> None:
        # It lives as long as the archive.
        self.file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115
        self.size = 0
        self._max_bytes = max_bytes
        self._sha256 = sha256()

    def write(self, data: bytes) -> int:  # type: ignore[override]  # gzip writes bytes only
        self.size += len(data)
        if self.size > self._max_bytes:
            raise _TooLarge
        self._sha256.update(data)
        return self.file.write(data)

    @property
    def source(self) -> CodeSource:
        return CodeSource(digest=f"sha256:{self._sha256.hexdigest()}", size_bytes=self.size)


def pack(folder: Path, max_bytes: int, progress: Progress) -> Archive:
    """Pack a folder of code.

    Files are sorted; times, owners and all of the mode but the executable bit are left out. Links inside the folder
    stay links. Sockets and devices are left out, as git does.

    Raises:
        InvalidRequest: when the folder is none or empty, the archive would be larger than `max_bytes`, a link leads
            out of the folder, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"there is no folder {str(folder)!r} to pack")
    root = folder.resolve()
    try:
        entries = list(_entries(root, "", _ignored(root)))
        if not any(stat.S_ISREG(entry.status.st_mode) for entry in entries):
            raise InvalidRequest(f"the folder {str(folder)!r} has no file to pack; see its {' or '.join(IGNORE_FILES)}")
        return _write(root, entries, max_bytes, progress)
    except OSError as error:
        raise InvalidRequest(f"cannot pack {str(error.filename or folder)!r}: {error.strerror or error}") from error


def _ignored(root: Path) -> GitIgnoreSpec:
    for name in IGNORE_FILES:
        if (root / name).is_file():
            return GitIgnoreSpec.from_lines((root / name).read_text(encoding="utf-8", errors="replace").splitlines())
    return GitIgnoreSpec.from_lines([])


def _entries(folder: Path, inside: str, ignored: GitIgnoreSpec) -> Iterator[_Entry]:
    """Everything below a folder in the order of names. An ignored folder is not entered, as in git."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        status = path.lstat()
        name = f"{inside}{path.name}"
        is_folder = stat.S_ISDIR(status.st_mode)
        if path.name in NEVER_PACKED or ignored.match_file(f"{name}/" if is_folder else name):
            continue
        if is_folder and not (path / "pyvenv.cfg").exists():
            yield _Entry(path, name, status)
            yield from _entries(path, f"{name}/", ignored)
        elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            yield _Entry(path, name, status)


def _write(root: Path, entries: list[_Entry], max_bytes: int, progress: Progress) -> Archive:
    sink = _Sink(max_bytes)
    sizes = [entry.status.st_size for entry in entries if stat.S_ISREG(entry.status.st_mode)]
    meter = Meter(sum(sizes), progress.packing)
    try:
        with (
            gzip.GzipFile("", "wb", _COMPRESSION, sink, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for entry in entries:
                _add(archive, root, entry, meter)
    except _TooLarge:
        raise InvalidRequest(_too_large(root, entries, max_bytes)) from None
    progress.packed(len(sizes), sink.size)
    return Archive(sink.file, sink.source)


def _add(archive: tarfile.TarFile, root: Path, entry: _Entry, meter: Meter) -> None:
    info = tarfile.TarInfo(entry.inside)
    mode = entry.status.st_mode
    if stat.S_ISDIR(mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
    elif stat.S_ISLNK(mode):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, _link_target(root, entry)
        archive.addfile(info)
    else:
        info.mode = 0o755 if mode & stat.S_IXUSR else 0o644
        with entry.path.open("rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            archive.addfile(info, Watched(file, meter))


def _link_target(root: Path, entry: _Entry) -> str:
    """Where a link leads, relative to itself, so that it leads there in every copy of the folder."""
    target = entry.path.readlink()
    reached = Path(os.path.normpath(entry.path.parent / target))
    # The written target counts, and so does where it really ends: a link may lead over another one.
    if not (reached.is_relative_to(root) and entry.path.resolve().is_relative_to(root)):
        raise InvalidRequest(
            f"the link {entry.inside!r} leads out of the folder, to {str(target)!r}; copy the file in, or name the "
            f"link in {IGNORE_FILES[0]}"
        )
    return os.path.relpath(reached, entry.path.parent) if target.is_absolute() else str(target)


def _too_large(root: Path, entries: list[_Entry], max_bytes: int) -> str:
    files = [entry for entry in entries if stat.S_ISREG(entry.status.st_mode)]
    largest = sorted(files, key=lambda entry: entry.status.st_size, reverse=True)[:_LARGEST_SHOWN]
    named = ", ".join(f"{entry.inside} ({entry.status.st_size / 2**20:,.1f} MiB)" for entry in largest)
    return (
        f"the code in {str(root)!r} is more than {max_bytes / 2**20:,.1f} MiB when packed; its largest files are "
        f"{named}; name data and outputs in {IGNORE_FILES[0]}, or launch from a git repository. With "
        "LAUNCHYARD_CODE_STORE more is allowed: LAUNCHYARD_MAX_STORED_CODE_BYTES"
    )
