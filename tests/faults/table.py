"""The tables of what survives what: tests add their cells, and `python -m tests.faults.table FILE` writes the page.

`LAUNCHYARD_TEST_MATRIX=FILE` names the file to which tests append, one JSON object a line. Tables of faults that the
file does not tell of stay as they are, and so do the columns of targets that it does not tell of.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.steps import TARGETS, Step

VARIABLE = "LAUNCHYARD_TEST_MATRIX"
PAGE = Path(__file__).parents[2] / "docs" / "discussion" / "what-survives-what.md"


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault that a run survived."""

    fault: str
    step: str
    target: str
    taken_up_seconds: float | None  # until an agent had the run in its hands again; None: nothing was left to do
    end_seconds: float  # until the run's end was recorded


class Table:
    """Collects cells, if somebody wants them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @classmethod
    def from_environment(cls) -> Table:
        """The table that `LAUNCHYARD_TEST_MATRIX` names."""
        name = os.environ.get(VARIABLE)
        return cls(Path(name) if name else None)

    def add(self, cell: Cell) -> None:
        """Append a cell; one write, so that several pytest processes may share a file."""
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(cell)) + "\n")


def read(path: Path) -> list[Cell]:
    """The cells of a file."""
    return [Cell(**json.loads(line)) for line in path.read_text().splitlines()]


def written(page: str, cells: Sequence[Cell]) -> str:
    """The page with a new table, under its heading, for each fault that the cells tell of."""
    for fault in dict.fromkeys(cell.fault for cell in cells):
        heading = f"### {fault}\n"
        before, found, after = page.partition(heading)
        if not found:
            raise SystemExit(f"error: the page has no heading {heading!r}")
        rest = after[match.start() :] if (match := re.search(r"^##", after, re.MULTILINE)) else ""
        fresh = [cell for cell in cells if cell.fault == fault]
        told = {cell.target for cell in fresh}
        kept = [cell for cell in _earlier(fault, after) if cell.target not in told]
        page = f"{before}{heading}\n{markdown([*kept, *fresh])}\n{rest}"
    return page


def _earlier(fault: str, table: str) -> Iterator[Cell]:
    """The cells of a table that `markdown` wrote, as far as it shows them."""
    rows = [line.strip("| ").split(" | ") for line in table.partition("\n##")[0].splitlines() if line[:1] == "|"]
    for step, *shown in rows[2:]:
        for target, text in zip(rows[0][1:], shown, strict=False):
            if text.strip():
                seconds = float(text.removesuffix(" s")) if text.endswith(" s") else None
                yield Cell(fault, step, target, seconds, end_seconds=float(text == "goes on"))


def markdown(cells: Sequence[Cell]) -> str:
    """The table of one fault: a row a step, a column a target, and the seconds until the run was taken up."""
    by_place = {(cell.step, cell.target): cell for cell in cells}
    targets = [name for name in TARGETS if any(target == name for _, target in by_place)]
    rows = ["| step | " + " | ".join(targets) + " |", "| --- |" + " --- |" * len(targets)]
    for step in Step:
        shown = [_shown(by_place.get((step, target))) for target in targets]
        if any(shown):
            rows.append(f"| {step} | " + " | ".join(shown) + " |")
    return "\n".join([*rows, "", _summary(cells), ""])


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.taken_up_seconds is not None:
        return f"{cell.taken_up_seconds:.1f} s"
    return "goes on" if cell.end_seconds else "had ended"


def _summary(cells: Sequence[Cell]) -> str:
    times = sorted(cell.taken_up_seconds for cell in cells if cell.taken_up_seconds is not None)
    if not times:
        return f"{len(cells)} cells."
    p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
    return f"{len(cells)} cells; taken up after {statistics.median(times):.1f} s (median), {p95:.1f} s (p95)."


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), read(Path(sys.argv[1]))))
