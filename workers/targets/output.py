"""A job's output in a file, read in whole lines from where the last reader stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workers.targets.protocol import LogChunk

CHUNK_BYTES = 64 * 1024
"""How much of the file is read at once; also the most that an unfinished line is waited for."""

LINE_BYTES = 8 * 1024
"""What is kept of one line."""

CUT = " [line cut here by launchyard: it is longer than 8 KiB]"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the file. `in_cut_line`: the rest of the line there was cut off and is passed over."""

    offset: int = 0
    in_cut_line: bool = False

    @classmethod
    def parse(cls, text: str) -> Position:
        return cls(int(text.removesuffix("+") or 0), text.endswith("+"))

    def __str__(self) -> str:
        return f"{self.offset}+" if self.in_cut_line else str(self.offset)


def read(path: Path, position: str, is_over: bool) -> LogChunk:
    """What came after `position`. `is_over`, asked before the call, says that nothing more will come."""
    start = Position.parse(position)
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return LogChunk((), position)
    try:
        data = os.pread(file, CHUNK_BYTES, start.offset)
    finally:
        os.close(file)
    full = len(data) == CHUNK_BYTES
    used, in_cut_line = _whole(data, full, start, is_over)
    lines = _split(data[:used])
    if start.in_cut_line:
        lines = lines[1:]
    position = str(Position(start.offset + used, in_cut_line))
    return LogChunk([_shown(line) for line in lines], position, more=full)


def _whole(data: bytes, full: bool, start: Position, is_over: bool) -> tuple[int, bool]:
    """How many bytes of a chunk are whole lines, and whether they end inside a line that is too long."""
    newline = data.rfind(b"\n") + 1
    if is_over and not full:
        return len(data), False
    if newline:
        return newline, False
    if not full:
        # Of a line whose beginning was cut off, nothing is kept back.
        return (len(data), True) if start.in_cut_line else (0, False)
    # A progress bar writes over its line again and again: it is shown as far as it came.
    redrawn = 0 if start.in_cut_line else data.rfind(b"\r") + 1
    return (redrawn, False) if redrawn else (len(data), True)


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _shown(line: bytes) -> str:
    # As on a terminal: what follows a carriage return is written over what was there.
    last = line.rstrip(b"\r").rpartition(b"\r")[2]
    text = last[:LINE_BYTES].decode(errors="replace")
    return text + CUT if len(last) > LINE_BYTES else text
