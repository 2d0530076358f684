"""Commands of installers: what they get to see."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from workers.builders.venv.commands import Surroundings, run_command


def test_what_is_built_for_a_job_sees_neither_the_brokers_password_nor_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("LAUNCHYARD_BROKER_URL", "redis://agent:hunter2@host/0")
    monkeypatch.setenv("LAUNCHYARD_SIGNING_KEYS", "k1:hunter2")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example.com")
    lines: list[str] = []
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)

    # When
    try:
        around = Surroundings(tmp_path, lock, lines.append, lambda: False)
        run_command([sys.executable, "-c", "import os; print(dict(os.environ))"], around)
    finally:
        os.close(lock)

    # Then
    assert "PIP_INDEX_URL" in "".join(lines)
    assert "hunter2" not in "".join(lines)
