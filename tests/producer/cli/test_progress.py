"""What a person sees while large code is packed and stored."""

from __future__ import annotations

import os
from pathlib import Path

from broker_config.queues import QueueRecord
from tests.producer.cli.conftest import Call


def test_the_command_line_tells_of_large_code_alone(
    launchyard: Call, queue: QueueRecord, code: Path, tmp_path: Path
) -> None:
    # Given
    large = tmp_path / "large"
    large.mkdir()
    (large / "weights").write_bytes(os.urandom(9 * 2**20))

    # When
    small, first, second = (
        launchyard("launch", "-q", "gpu-queue", "--code", str(folder), "--", "python", "main.py").err
        for folder in (code, large, large)
    )

    # Then
    assert not any(word in small for word in ("packed", "stored"))
    assert "packed 1 file as 9.0 MiB" in first
    assert "stored 9.0 MiB in broker" in first
    assert "the same code is stored already" in second
