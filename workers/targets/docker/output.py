"""A container's log from a position on: no line twice, none left out.

The engine keeps each piece of output with the time at which it read it. stdout and stderr are read side by side, so
times may repeat and be out of order by a little, and "everything after the last time seen" would lose lines. But the
log is only ever appended to, so the pieces from a fixed time on are a sequence that only grows. A position is therefore
such a time and the number of pieces that were taken since; the time moves on, a margin behind the newest piece.

A rotated log (`log-opt max-size`) can lose its beginning between two reads, like any rotated log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workers.targets.protocol import LogChunk

CHUNK_LINES = 10_000
CHUNK_BYTES = 2 * 1024 * 1024
MARGIN_NS = 200_000_000
HELD_BYTES = 64 * 1024
"""Longest unfinished line that is waited for: docker stores output in pieces of 16 KiB."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """One stored piece of output: a line, or a part of a long or unfinished one."""

    stream: int
    at_ns: int
    text: str

    @property
    def ends_line(self) -> bool:
        return self.text.endswith("\n")


def piece(stream: int, payload: bytes) -> Piece:
    """A piece from the payload of one frame of the Engine API's log stream with timestamps."""
    stamp, _, text = payload.decode(errors="replace").partition(" ")
    return Piece(stream, _nanoseconds(stamp), text)


def _nanoseconds(stamp: str) -> int:
    match = _TIME.fullmatch(stamp)
    if match is None:
        raise ValueError(f"{stamp!r} is not a time as docker writes it")
    seconds = int(datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp())
    return seconds * 10**9 + int((match[2] or "").ljust(9, "0"))


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `taken` pieces from `since_ns` on was read."""

    since_ns: int = 0
    taken: int = 0

    @classmethod
    def parse(cls, text: str) -> Position:
        since, _, taken = text.partition(":")
        return cls(int(since), int(taken)) if text else cls()

    def __str__(self) -> str:
        return f"{self.since_ns}:{self.taken}"

    @property
    def since(self) -> str:
        """As the Engine API wants it: seconds with nanoseconds behind the point."""
        return f"{self.since_ns // 10**9}.{self.since_ns % 10**9:09d}"


@dataclass(slots=True)
class _Reading:
    """Pieces on their way to lines."""

    taken: int  # pieces so far
    whole: int  # pieces at the last moment at which no line was open
    whole_lines: int = 0  # lines at that moment
    lines: list[str] = field(default_factory=list)
    size: int = 0
    open: dict[int, str] = field(default_factory=dict)  # by stream: the beginning of a line whose end has not come

    def add(self, one: Piece) -> None:
        text = self.open.pop(one.stream, "") + one.text
        self.taken += 1
        self.size += len(one.text)
        if one.ends_line:
            self.lines.append(text[:-1])
        else:
            self.open[one.stream] = text
        if not self.open:
            self.whole, self.whole_lines = self.taken, len(self.lines)

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= CHUNK_LINES or self.size >= CHUNK_BYTES

    @property
    def can_wait(self) -> bool:
        """Whether the open lines can be left for the next call: nothing overtook them, and they are not too long."""
        return len(self.lines) == self.whole_lines and sum(map(len, self.open.values())) <= HELD_BYTES

    def give_open(self) -> None:
        """Take the open lines for whole ones."""
        self.lines.extend(self.open.values())
        self.whole = self.taken


def read(pieces: Iterable[Piece], position: Position, has_ended: Callable[[], bool]) -> LogChunk:
    """The next chunk. `pieces` are all from the position's time on, in their order, and may begin earlier.

    `has_ended` says whether no piece can follow; it is asked only when a line is open.
    """
    reading = _Reading(position.taken, position.taken)
    times: list[int] = []
    more = False
    for one in pieces:
        if one.at_ns < position.since_ns:
            continue
        if reading.is_full:
            more = True
            break
        times.append(one.at_ns)
        if len(times) > position.taken:
            reading.add(one)
    # A line that never ends (a progress bar), or that lines of the other stream overtook, is given in parts.
    if reading.open and (not reading.can_wait or (not more and has_ended())):
        reading.give_open()
    if reading.whole == position.taken:
        return LogChunk((), str(position))
    return LogChunk(reading.lines, str(_moved(times[: reading.whole], position)), more)


def _moved(times: Sequence[int], position: Position) -> Position:
    since = max(position.since_ns, max(times) - MARGIN_NS)
    return Position(since, sum(at >= since for at in times))


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The frames of docker's multiplexed stream: one byte for the stream, three of nothing, four for the length."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        start = 0
        while len(buffer) >= (body := start + 8) and len(buffer) >= (end := body + _length(buffer, start)):
            yield buffer[start], bytes(buffer[body:end])
            start = end
        del buffer[:start]


def _length(buffer: bytearray, start: int) -> int:
    return int.from_bytes(buffer[start + 4 : start + 8], "big")
