"""The lines on stderr while large code is packed and stored."""

from __future__ import annotations

import sys
import time

import click

from producer import readable
from producer.cli import output

SHOWN_BYTES = 8 * 1024 * 1024
"""Less is packed and stored before anybody has read about it."""

PERIOD_SECONDS = 0.2


class Shown:
    """On a terminal one line that counts up; elsewhere only how each step ended."""

    def __init__(self) -> None:
        self._told = 0.0
        self._began = 0.0

    def packing(self, done: int, total: int) -> None:
        self._count("packing", done, total)

    def packed(self, files: int, size_bytes: int) -> None:
        if size_bytes >= SHOWN_BYTES:
            self._end(f"packed {files} file{'' if files == 1 else 's'} as {readable.size(size_bytes)}")

    def storing(self, done: int, total: int) -> None:
        self._count("storing", done, total)

    def stored(self, place: str, size_bytes: int) -> None:
        if size_bytes >= SHOWN_BYTES:
            self._end(f"stored {readable.size(size_bytes)} in {place}" if place else "the same code is stored already")

    def _count(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        self._began = self._began or now
        if total < SHOWN_BYTES or now - self._told < PERIOD_SECONDS or not sys.stderr.isatty():
            return
        self._told = now
        click.echo(f"\r\x1b[K{step} {done * 100 // total}% of {readable.size(total)}", nl=False, err=True)

    def _end(self, sentence: str) -> None:
        took = time.monotonic() - self._began if self._began else 0.0
        self._began = 0.0
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
        output.note(f"{sentence}, {took:.1f} s")
