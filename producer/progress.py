"""What is told of local code while it is packed and stored: large code takes a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from broker_config.store.code import Rewindable


class Progress(Protocol):
    """Somebody who wants to know. The calls come from the thread that launches, many a second; sizes are in bytes."""

    def packing(self, done: int, total: int) -> None: ...

    def packed(self, files: int, size_bytes: int) -> None: ...

    def storing(self, done: int, total: int) -> None: ...

    def stored(self, place: str, size_bytes: int) -> None:
        """`place` is empty when the same code was stored already."""
        ...


class Silent:
    """Nobody."""

    def packing(self, done: int, total: int) -> None: ...

    def packed(self, files: int, size_bytes: int) -> None: ...

    def storing(self, done: int, total: int) -> None: ...

    def stored(self, place: str, size_bytes: int) -> None: ...


class Meter:
    """Adds up what is read of several files."""

    def __init__(self, total: int, tell: Callable[[int, int], None]) -> None:
        self.done = 0
        self._total = total
        self._tell = tell

    def add(self, count: int) -> None:
        """So much more was read."""
        self.done += count
        self._tell(self.done, self._total)


class Watched:
    """A file whose reading is metered. It is read from its beginning; going back there begins anew."""

    def __init__(self, file: Rewindable, meter: Meter) -> None:
        self._file = file
        self._meter = meter

    def read(self, size: int = -1, /) -> bytes:
        """As a file does it."""
        data = self._file.read(size)
        self._meter.add(len(data))
        return data

    def seek(self, offset: int, /) -> int:
        """As a file does it."""
        self._meter.done = offset
        return self._file.seek(offset)
