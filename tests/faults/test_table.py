from __future__ import annotations

from tests.faults.steps import Step
from tests.faults.table import Cell, written

PAGE = """# Page

### agent killed

| step | stub | docker |
| --- | --- | --- |
| claimed | 1.0 s | 3.0 s |
| end seen |  | goes on |
| end recorded | had ended | had ended |

5 cells; taken up after 1.0 s (median), 3.0 s (p95).

## Next
"""


def test_a_run_of_one_target_writes_its_column_and_leaves_the_others() -> None:
    # When
    cells = [Cell("agent killed", step, "docker", 2.0, end_seconds=3.0) for step in (Step.CLAIMED,)]
    page = written(PAGE, cells)
    # Then
    assert "| claimed | 1.0 s | 2.0 s |" in page
    assert "| end recorded | had ended |  |" in page
    assert "end seen" not in page
    assert page.endswith("\n## Next\n")


def test_a_new_target_gets_a_column_of_its_own() -> None:
    # When
    page = written(PAGE, [Cell("agent killed", Step.CLAIMED, "kubernetes", 2.0, 3.0)])
    # Then
    assert "| step | stub | docker | kubernetes |" in page
    assert "| claimed | 1.0 s | 3.0 s | 2.0 s |" in page
    assert "| end seen |  | goes on |  |" in page
    assert "6 cells; taken up after 2.0 s (median), 3.0 s (p95)." in page


def test_a_heading_without_a_table_gets_one() -> None:
    # When
    page = written("### agent killed\n", [Cell("agent killed", Step.CLAIMED, "kubernetes", 2.0, 3.0)])
    # Then
    assert "| claimed | 2.0 s |" in page
