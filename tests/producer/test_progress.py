"""Whoever wants to know is told how far the packing and storing of local code are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from broker_config.queues import QueueRecord
from broker_config.store import Store
from producer import Client
from producer.progress import Silent
from tests.code import get


class Remembered(Silent):
    """Remembers all that it is told."""

    def __init__(self, when_stored: Callable[[], None] = lambda: None) -> None:
        self.steps: dict[str, list[tuple[int, int]]] = {"packing": [], "storing": []}
        self.packed_sizes: list[tuple[int, int]] = []
        self.places: list[str] = []
        self._when_stored = when_stored

    def packing(self, done: int, total: int) -> None:
        self.steps["packing"].append((done, total))

    def packed(self, files: int, size_bytes: int) -> None:
        self.packed_sizes.append((files, size_bytes))

    def storing(self, done: int, total: int) -> None:
        self.steps["storing"].append((done, total))

    def stored(self, place: str, size_bytes: int) -> None:
        self.places.append(place)
        self._when_stored()


def test_every_byte_is_counted_once_and_the_place_is_told(client: Client, queue: QueueRecord, tmp_path: Path) -> None:
    # Given
    (tmp_path / "a").write_bytes(os.urandom(300_000))
    (tmp_path / "b").write_bytes(os.urandom(100_000))
    client.progress = told = Remembered()

    # When the same folder is launched twice
    for _ in range(2):
        run = client.launch(queue="gpu-queue", source=tmp_path)

    # Then
    size = run.run.spec.job.source.size_bytes  # type: ignore[union-attr]
    assert told.packed_sizes == [(2, size)] * 2
    assert told.steps["packing"][-1] == (400_000, 400_000)
    assert told.steps["packing"] == sorted(told.steps["packing"][: len(told.steps["packing"]) // 2]) * 2
    assert told.steps["storing"][-1] == (size, size)
    assert told.places == ["broker", ""]


def test_code_that_is_swept_away_before_the_launch_is_written_is_stored_again(
    client: Client, store: Store, queue: QueueRecord, code: Path
) -> None:
    # Given a producer that is stopped for days, once, after it has stored its code
    def sweep_away() -> None:
        if len(told.places) == 1:
            (record,) = store.code.list()
            assert store.archives.drop(record.digest, only_due=False)

    client.progress = told = Remembered(sweep_away)

    # When
    run = client.launch(queue="gpu-queue", source=code)

    # Then
    assert told.places == ["broker", "broker"]
    assert get(store.code, run.run.spec.job.archive)
