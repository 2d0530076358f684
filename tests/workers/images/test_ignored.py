"""What stays out of an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from workers.images.ignored import DEFAULT, ignored


@pytest.mark.parametrize(
    ("files", "dockerfile", "patterns"),
    [
        ({}, None, DEFAULT),
        ({}, "Dockerfile", ()),
        ({".dockerignore": "# big\ndata\n\n!data/small\n"}, None, ("data", "!data/small")),
        ({".dockerignore": "a", "x/Dockerfile.dockerignore": "b"}, "x/Dockerfile", ("b",)),
        ({".dockerignore": "a", "Dockerfile.dockerignore": "b"}, None, ("a",)),
        (
            {".dockerignore": "a", ".launchyardignore": "data\n/top\n*.bin\nsub/dir/\n!keep.bin\n/\n"},
            "Dockerfile",
            ("**/data", "top", "**/*.bin", "sub/dir", "!**/keep.bin"),
        ),
    ],
)
def test_the_nearest_ignore_file_decides(
    files: Mapping[str, str], dockerfile: str | None, patterns: tuple[str, ...], tmp_path: Path
) -> None:
    # Given
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    # Then
    assert ignored(tmp_path, dockerfile) == patterns
