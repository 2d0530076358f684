from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.workers.builders.test_kaniko_render import config_of, recipe
from workers.builders.kaniko.context import CONFIG_MAP_BYTES, Contexts
from workers.failures import RunFailed


def names_in(archive: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name for member in tar if member.isfile()}


def code(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_small_code_comes_with_the_config_map_without_what_is_surely_left_out(tmp_path: Path) -> None:
    # Given
    folder = code(tmp_path, "main.py", "lib/a.py", "lib/a.pyc", ".git/config", "data/raw/x", "data/y")
    # When
    files = Contexts(config_of()).send("build-1", recipe(folder=folder, ignored=(".git", "**/*.pyc", "data/raw")))
    # Then
    assert list(files) == list(Contexts(config_of()).of("build-1").files)
    assert names_in(files["context.tar.gz"]) == {"./main.py", "./lib/a.py", "./data/y"}


def test_with_an_exception_among_the_patterns_kaniko_decides(tmp_path: Path) -> None:
    # Given
    folder = code(tmp_path, "data/raw", "data/small")
    # When
    files = Contexts(config_of()).send("build-1", recipe(folder=folder, ignored=("data", "!data/small")))
    # Then
    assert names_in(files["context.tar.gz"]) == {"./data/raw", "./data/small"}


def test_code_that_is_too_large_for_a_config_map_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    # Given
    (tmp_path / "weights").write_bytes(os.urandom(CONFIG_MAP_BYTES + 1))
    # When / Then
    with pytest.raises(RunFailed, match=r"write builder.build-context-store or builder.context-volume"):
        Contexts(config_of()).send("build-1", recipe(folder=tmp_path))


def test_code_on_a_volume_is_there_whole_until_it_is_dropped(tmp_path: Path) -> None:
    # Given
    volume, folder = tmp_path / "volume", code(tmp_path / "code", "main.py")
    volume.mkdir()
    contexts = Contexts(config_of(**{"context-volume": "claim", "context-volume-path": str(volume)}))
    # When
    files = contexts.send("build-1", recipe(folder=folder))
    # Then
    assert files == {}
    (archive,) = volume.iterdir()
    assert names_in(archive.read_bytes()) == {"./main.py"}
    # When
    contexts.drop("build-1")
    contexts.drop("build-1")
    # Then
    assert not list(volume.iterdir())
