"""Code archives from the content-addressed store, unpacked with care: whoever may launch may send any bytes."""

from __future__ import annotations

import io
import tarfile
import zlib
from pathlib import Path

from broker_config import jobs
from broker_config.errors import NotFound, TemporaryError
from broker_config.runs import FailureClass, Reason
from broker_config.store.code import CodeStore
from workers.failures import RunFailed
from workers.sources.protocol import Fetched

MAX_UNPACKED_BYTES = 4 * 1024**3
"""A small archive can hold enormous files of zeros, and the disk is everybody's."""

MAX_MEMBERS = 200_000


class CodeSource:
    """Unpacks the archive that a producer has stored."""

    def __init__(self, code: CodeStore) -> None:
        self._code = code

    def fetch(self, source: jobs.CodeSource, folder: Path) -> Fetched:
        try:
            archive = self._code.get(source.digest)
        except NotFound as error:
            raise _unavailable(str(error)) from error
        try:
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
                _unpack(members, folder)
        except (tarfile.TarError, zlib.error, EOFError) as error:
            # The filter's own errors name the member that would leave the folder, or is a device.
            raise _unavailable(f"the code archive {source.digest} cannot be unpacked: {error}") from error
        except OSError as error:
            raise TemporaryError(f"the code archive {source.digest} could not be unpacked here: {error}") from error
        return Fetched(digest=source.digest, folder=folder)


def _unpack(members: tarfile.TarFile, folder: Path) -> None:
    total = 0
    for count, member in enumerate(members, start=1):
        total += member.size
        if total > MAX_UNPACKED_BYTES or count > MAX_MEMBERS:
            raise tarfile.TarError(
                f"it holds more than {MAX_UNPACKED_BYTES // 1024**3} GiB or {MAX_MEMBERS:,} files; keep data out of "
                "it with .launchyardignore"
            )
        # PEP 706: nothing outside the folder, no devices, no set-user-id bits, no other owners.
        members.extract(member, folder, filter="data")


def _unavailable(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.SOURCE_UNAVAILABLE, text)
