"""Times, sizes and numbers as people read them, on the command line and on the page."""

from __future__ import annotations

from datetime import UTC, datetime

from broker_config.jobs import GitSource, ImageSource, Source

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def age(time: datetime | None, until: datetime | None = None) -> str:
    """How long ago, in the largest fitting unit: `3s`, `12m`, `5h`, `2d`."""
    if time is None:
        return ""
    seconds = max(0, int(((until or datetime.now(UTC)) - time).total_seconds()))
    unit, size = next((pair for pair in _UNITS if seconds >= pair[1]), _UNITS[-1])
    return f"{seconds // size}{unit}"


def counted(count: int, one: str, many: str) -> str:
    """A number with its word: `1 run waits`, `2,000 runs wait`."""
    return f"{count:,} {one if count == 1 else many}"


def size(count: int) -> str:
    """Bytes in the largest fitting unit: `917 B`, `3.4 KiB`, `200.0 MiB`."""
    number, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{count} B" if unit == "B" else f"{number:,.1f} {unit}"


def source_text(source: Source) -> str:
    """Where code or image come from, in a few words."""
    if isinstance(source, ImageSource):
        return f"image {source.image}"
    if isinstance(source, GitSource):
        changes = f", with uncommitted changes ({source.patch[:19]})" if source.patch else ""
        return f"git {source.repository} at {source.ref or 'its HEAD'}{changes}"
    return f"code {source.digest[:19]} ({source.size_bytes:,} bytes packed)"
