"""A certificate authority of a test's own, by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services import require

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


@dataclass(frozen=True)
class Certificates:
    """Files of an authority, and of a server on loopback that it signed."""

    authority: Path
    server: Path
    server_key: Path


def make_certificates(folder: Path) -> Certificates:
    """An authority, and a certificate for 127.0.0.1."""
    require(shutil.which("openssl") is not None, "there is no openssl; apt-get install openssl")
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority_key = folder / "ca.key"
    _openssl(folder, *KEY, "-keyout", authority_key, "-out", made.authority, "-subj", "/CN=test authority")
    _openssl(
        *(folder, *KEY, "-keyout", made.server_key, "-out", made.server, "-subj", "/CN=127.0.0.1"),
        *("-CA", made.authority, "-CAkey", authority_key, "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-addext", "basicConstraints=CA:FALSE"),
    )
    return made


def _openssl(folder: Path, *words: object) -> None:
    command = ["openssl", "req", "-x509", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
