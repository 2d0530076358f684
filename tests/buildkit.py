"""A BuildKit daemon of a test's own, without an engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.services import require


@dataclass(frozen=True)
class Daemon:
    """One that runs."""

    address: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it as a crash does, and with it the commands that it would have left running."""
        builds = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait(30)
        for process in builds:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def buildkitd(
    folder: Path,
    registries: Sequence[str] = (),
    listen: Sequence[str] = (),
    authorities: Mapping[str, Path] | None = None,
) -> Iterator[Daemon]:
    """Run one, on a socket in the folder, or where `listen` says, with the options of TLS.

    The registries, hosts on loopback without TLS, are asked for what Docker Hub has. Those with TLS are known by their
    `authorities`.
    """
    program = shutil.which("buildkitd")
    require(program is not None, "there is no buildkitd; tests/lab/buildkit.sh build, and its path goes into PATH")
    require(shutil.which("runc") is not None and os.geteuid() == 0, "buildkitd needs runc, and here it needs root")
    assert program is not None
    (folder / "buildkitd.toml").write_text(_config(folder, registries, authorities or {}))
    address = listen[0] if listen else f"unix://{folder / 'buildkitd.sock'}"
    where = [f"--addr={address}", *listen[1:]]
    with (folder / "buildkitd.log").open("ab") as log:
        process = subprocess.Popen(
            [program, "--config", str(folder / "buildkitd.toml"), *where],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_running(folder / "buildkitd.log", process)
        yield Daemon(address, process)
    finally:
        process.terminate()
        process.wait(30)
        _unmount(folder)


def _config(folder: Path, registries: Sequence[str], authorities: Mapping[str, Path]) -> str:
    lines = [
        f"root = {json.dumps(str(folder / 'buildkit'))}",
        "[worker.oci]",
        'enabled = true\nbinary = "runc"\nnetworkMode = "host"',
        "[worker.containerd]\nenabled = false",
        f'[registry."docker.io"]\nmirrors = {json.dumps(list(registries))}',
    ]
    lines += [f'[registry."{host}"]\nhttp = true' for host in registries]
    lines += [f'[registry."{host}"]\nhttp = false\nca = [{json.dumps(str(ca))}]' for host, ca in authorities.items()]
    return "\n".join(lines) + "\n"


def _wait_until_running(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while "running server on" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _unmount(folder: Path) -> None:
    """What was mounted when the daemon was killed, innermost first."""
    places = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
    for place in sorted((place for place in places if place.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=True)
