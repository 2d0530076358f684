"""A PostgreSQL of the tests' own, on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port
from tests.services import require

PASSWORD = "s3cret"


def _program(name: str) -> str | None:
    # Debian keeps them out of the path, one folder a version.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return shutil.which(name) or next((str(folder / name) for folder in reversed(folders)), None)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a running server, with an empty database."""
    require(_program("initdb") is not None, "PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="ly-pg-"))
    # It refuses to run as root.
    is_root = os.geteuid() == 0
    if is_root:
        shutil.chown(folder, "postgres", "postgres")

    def run(name: str, *arguments: str) -> None:
        command = [*(("runuser", "-u", "postgres", "--") if is_root else ()), _program(name) or name, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder)

    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    data, port = str(folder / "data"), free_port()
    secret = f"--pwfile={folder}/password"
    run("initdb", "-D", data, "-U", "launchyard", "--auth=scram-sha-256", secret, "--no-sync")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    run("pg_ctl", "-D", data, "-w", "-t", "30", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://launchyard:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
