"""A Redis or Valkey of a test's own, with the options that a deployment would give it: passwords, ACL users, TLS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port, wait_until_listening
from tests.services import require

PROGRAMS = ("valkey-server", "redis-server")


@contextmanager
def redis_server(folder: Path, **options: str) -> Iterator[int]:
    """Run one on a loopback port, with these options in place of dashes underscores. Yields the port."""
    program = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    require(program is not None, "there is no redis-server or valkey-server; apt-get install redis-server")
    assert program is not None
    port = free_port()
    listening = {"tls-port": str(port), "port": "0"} if "tls_cert_file" in options else {"port": str(port)}
    given = {name.replace("_", "-"): value for name, value in options.items()}
    words = {"bind": "127.0.0.1", "dir": str(folder), "save": "", "appendonly": "no", **listening, **given}
    arguments = [word for name, value in words.items() for word in (f"--{name}", value)]
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)
