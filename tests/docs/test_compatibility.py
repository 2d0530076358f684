"""The page on W&B Launch claims nothing that is not there: every row that works names a test that is collected."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, Table, tables
from tests.docs.wandb_features import FEATURES

TABLES = [table for table in tables() if table.name in FEATURES]
ROWS = [pytest.param(cells, id=name) for table in TABLES for name, cells in table.rows.items()]


def shown_by(table: Table) -> set[str]:
    """The tests that a table names, as pytest does."""
    return {f"tests/{cells[3].strip('`')}" for cells in table.rows.values() if cells[3]}


@pytest.mark.parametrize("cells", ROWS)
def test_a_row_that_works_names_a_test_and_any_other_says_why(cells: tuple[str, ...]) -> None:
    _, state, text, test = cells

    assert state in {"works", "differs", "not yet"}
    assert bool(test) == (state == "works")
    assert text.startswith("Topic: ") == (state == "not yet")


def test_every_test_that_the_page_names_is_collected() -> None:
    # Given
    named = set().union(*map(shown_by, TABLES))
    files = sorted({test.partition("::")[0] for test in named})

    # When
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    # Then
    collected = {line.partition("[")[0] for line in answer.stdout.splitlines()}
    assert not (missing := sorted(named - collected)), missing
