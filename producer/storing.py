"""Packed code on its way to the store."""

from __future__ import annotations

from producer.installation import Code
from producer.packing import Archive
from producer.progress import Meter, Progress, Watched


def store(code: Code, archive: Archive, progress: Progress) -> None:
    """Put an archive, and tell how far it is.

    Raises:
        InvalidRequest, ConfigError, TemporaryError: as `CodeStore.put` does.
    """
    size = archive.source.size_bytes
    place = code.put(Watched(archive.file, Meter(size, progress.storing)), archive.source)
    progress.stored(place, size)
