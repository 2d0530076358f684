"""A container's output as its node tells it: lines with the time at which they were written, from a place on.

Source: the log of the CRI as the kubelet of 1.36 answers it with `timestamps`. It reads the container's newest file
alone; what has no time in front is its own word, for instance that it has removed the container.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

LINE_BYTES = 64 * 1024
"""Kept of a line."""

PIECE_BYTES = 64 * 1024
"""Read of an answer at once."""

_WORD_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a container."""

    at_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where one container's log was read: all before a time, and so many lines of that time."""

    at_ns: int = 0
    taken: int = 0
    is_end: bool = False  # there is no more

    def __str__(self) -> str:
        return moment(self.at_ns) if self.at_ns else "the beginning"


@dataclass
class Taken:
    """What an answer had behind a place."""

    lines: list[Line] = field(default_factory=list)
    size: int = 0  # of their text, in characters
    words: str = ""  # the node's own
    has_more: bool = False
    joins: bool = True  # it has the line at which the place is, so none is missing between


def read(texts: Iterable[str]) -> Iterator[Line | str]:
    """The lines in an answer, and as they are those that have no time."""
    for text in texts:
        stamp, _, rest = text.partition(" ")
        try:
            yield Line(_nanoseconds(stamp), rest)
        except ValueError:
            yield text


def take(said: Iterable[Line | str], place: Place, most: int) -> Taken:
    """The lines behind a place, up to so many characters."""
    found = Taken(joins=not place.at_ns)
    left = place.taken
    for line in said:
        if isinstance(line, str):
            found.words = line[:_WORD_CHARACTERS]
            continue
        found.joins = found.joins or line.at_ns <= place.at_ns
        if line.at_ns < place.at_ns:
            continue
        if line.at_ns == place.at_ns and left:
            left -= 1
            continue
        found.lines.append(line)
        found.size += len(line.text)
        if found.size >= most:
            found.has_more = True
            break
    return found


def behind(place: Place, lines: Iterable[Line], *, is_end: bool) -> Place:
    """The place behind lines that were not read before."""
    last, taken = place.at_ns, place.taken
    for line in lines:
        # Two threads of the node write stdout and stderr, so a time may be a little before the one in front of it.
        if line.at_ns > last:
            last, taken = line.at_ns, 1
        elif line.at_ns == last:
            taken += 1
    return Place(last, taken, is_end)


def split(pieces: Iterable[bytes], *, is_over: bool) -> Iterator[str]:
    """Whole lines, of which the ends are left out where they are too long; an unfinished one only of what is over."""
    kept, left_out = b"", 0
    for piece in pieces:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield _shown(*_joined(kept, left_out, end))
            kept, left_out = b"", 0
        kept, left_out = _joined(kept, left_out, rest)
    if kept and is_over:
        yield _shown(kept, left_out)


def moment(at_ns: int) -> str:
    """A time as people read it, to the millisecond."""
    return f"{datetime.fromtimestamp(at_ns // 10**6 / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _joined(kept: bytes, left_out: int, piece: bytes) -> tuple[bytes, int]:
    room = LINE_BYTES - len(kept)
    return kept + piece[:room], left_out + len(piece[room:])


def _shown(kept: bytes, left_out: int) -> str:
    text = kept.decode(errors="replace")
    return f"{text} [line cut here by launchyard: it is {left_out} bytes longer]" if left_out else text


def _nanoseconds(stamp: str) -> int:
    """A time as the node writes it: with up to nine digits of a second, and any offset."""
    whole, _, rest = stamp.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    at = datetime.fromisoformat(whole + rest[len(digits) :] if rest else whole)
    return int(at.timestamp()) * 10**9 + int(digits.ljust(9, "0") or 0)
