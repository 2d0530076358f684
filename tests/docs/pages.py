"""The documentation as data: its code blocks that run, its tables that are checked, and its links.

A comment before a block says what a test does with it, and a reader of the source sees the same:

    <!-- runs -->                       the block is run, after those before it on its page
    <!-- runs in the background -->     the block is one command, which is left running until the page is done
    <!-- runs and exits with 3 -->      the block is run, and its last command must end so
    <!-- checked: NAME -->              the table's first column is compared with what the code says
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_RUNS = re.compile(
    r"^<!-- runs(?P<background> in the background)?(?: and exits with (?P<code>\d+))? -->\n+"
    r"```(?P<language>bash|python)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_CHECKED = re.compile(r"^<!-- checked: (?P<name>[\w-]+) -->\n+(?P<rows>(?:\|.*\n)+)", re.MULTILINE)
_MARK = re.compile(r"^<!--.*-->$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(?:#[^)]*)?\)")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code that a test runs."""

    place: str  # "README.md:42"
    language: str
    text: str
    in_background: bool
    exit_code: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is compared with the code: its rows by their first cell."""

    place: str
    name: str
    rows: dict[str, tuple[str, ...]]
    repeated: tuple[str, ...]


def pages() -> list[Path]:
    """The README and every page under `docs/`."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that run, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            place=_place(page, text, match.start("text")),
            language=match["language"],
            text=match["text"],
            in_background=bool(match["background"]),
            exit_code=int(match["code"] or 0),
        )
        for match in _RUNS.finditer(text)
    ]


def tables() -> Iterator[Table]:
    """Every checked table of every page."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for match in _CHECKED.finditer(text):
            rows = [_cells(line) for line in match["rows"].splitlines()[2:]]
            names = [row[0].strip("`") for row in rows]
            yield Table(
                place=_place(page, text, match.start("rows")),
                name=match["name"],
                rows=dict(zip(names, rows, strict=True)),
                repeated=tuple(sorted({name for name in names if names.count(name) > 1})),
            )


def misplaced_marks(page: Path) -> list[str]:
    """Comments that look like marks, and stand before nothing that they could mean."""
    text = page.read_text(encoding="utf-8")
    taken = {match.start() for pattern in (_RUNS, _CHECKED) for match in pattern.finditer(text)}
    return [_place(page, text, mark.start()) for mark in _MARK.finditer(text) if mark.start() not in taken]


def links(page: Path) -> set[Path]:
    """The files of this repository that a page links to."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return {(page.parent / match["path"]).resolve() for match in _LINK.finditer(text)}


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip())[1:-1])


def _place(page: Path, text: str, position: int) -> str:
    return f"{title(page)}:{text.count(chr(10), 0, position) + 1}"
