"""Uncommitted changes that travel with a launch, laid over the checked out code."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from tempfile import SpooledTemporaryFile

from broker_config.errors import CodeNotStored, ConfigError
from broker_config.store.code import CodeStore
from workers.sources.git.failures import unavailable
from workers.sources.git.program import Program

MAX_BYTES = 256 * 1024**2
"""Of a patch when it is unpacked: it is read into memory, by git too."""

IN_MEMORY_BYTES = 4 * 1024**2


def load(code: CodeStore, digest: str) -> bytes:
    """The patch of that digest.

    Raises:
        RunFailed: when it is not there, or no patch.
        TemporaryError: when the store fails.
    """
    with SpooledTemporaryFile(IN_MEMORY_BYTES) as archive:
        try:
            code.get(digest, archive)
            archive.seek(0)
            with gzip.open(archive) as packed:
                patch = packed.read(MAX_BYTES + 1)
        except (CodeNotStored, ConfigError) as error:
            raise unavailable(f"the uncommitted changes of this launch cannot be had: {error}") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise unavailable(f"the uncommitted changes {digest} cannot be unpacked: {error}") from error
    if len(patch) > MAX_BYTES:
        raise unavailable(f"the uncommitted changes {digest} are larger than {MAX_BYTES // 1024**2} MiB; commit them")
    return patch


def apply(program: Program, patch: bytes, folder: Path, part: str | None) -> None:
    """Change the files in a folder as a patch says; of a part, only those in it.

    Raises:
        RunFailed: when it does not fit them.
    """
    only = (f"--include={part}/*",) if part else ()
    # The folder is no repository, and the agent's home may be in one, which would make git look at that.
    alone = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    done = program.call(folder, "apply", "--whitespace=nowarn", *only, "-", variables=alone, stdin=patch)
    if done.code:
        raise unavailable(
            "the uncommitted changes of this launch do not apply to its commit; launch again, with no more than was "
            f"changed since that commit. git said: {done.said.strip()}"
        )
