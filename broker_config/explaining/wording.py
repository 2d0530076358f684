"""Times and numbers as the sentences have them."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def span(length: timedelta) -> str:
    """A length of time in its two largest units: `45 s`, `12 min`, `5 h 20 min`, `2 d 3 h`."""
    left = max(0, round(length.total_seconds()))
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    parts = parts or [(left, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"


def clock(time: datetime) -> str:
    """A time, for readers in any zone."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """The text with a full stop, where it ends without any."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."
