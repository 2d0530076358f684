"""Flower beside `up` and `demo`: on this machine only, behind a login that no command line shows."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from producer.cli.ports import free_from

USER = "launchyard"
DEFAULT_PORT = 5555
MISSING = "Flower is not installed, so there is no page with agents and runs; pip install 'launchyard[flower]'"


@dataclass(frozen=True)
class Flower:
    """Where Flower is to be, and who may see it."""

    port: int
    password: str
    password_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What Flower must know and nobody else may see."""
        return {"FLOWER_BASIC_AUTH": f"{USER}:{self.password}"}


def is_installed() -> bool:
    """Whether the extra that brings Flower is installed."""
    return find_spec("flower") is not None


def prepare(home: Path, port: int | None) -> Flower:
    """Flower at that port, or at the first free one from the default on."""
    file = home / "flower-password"
    return Flower(port or free_from(DEFAULT_PORT), _password(file), file)


def _password(file: Path) -> str:
    """The password of this home folder; made by the first call."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text(encoding="utf-8").strip()
    password = secrets.token_urlsafe(24)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(password + "\n")
    return password
