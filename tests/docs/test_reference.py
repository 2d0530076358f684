"""The reference says what the code says: nothing is missing in its tables, and nothing is stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.facts import FACTS, Facts
from tests.docs.pages import Table, links, misplaced_marks, pages, tables, title

TABLES = {table.name: table for table in tables()}


def differences(table: Table, facts: Facts) -> list[str]:
    """What to do to a table so that it says what the code says."""
    where = f"the table {table.name!r} at {table.place}"
    missing = [f"{where} lacks a row for `{name}`: add it" for name in facts if name not in table.rows]
    stale = [
        f"{where} has a row for `{name}`, which the code does not know: remove it" for name in table.rows.keys() - facts
    ]
    twice = [f"{where} has two rows for `{name}`: remove one" for name in table.repeated]
    other = [
        f"{where} says {table.rows[name][1]} in the second column for `{name}`: the code says {said}"
        for name, said in facts.items()
        if said is not None and name in table.rows and table.rows[name][1] != said
    ]
    return [*missing, *sorted(stale), *twice, *other]


@pytest.mark.parametrize("name", FACTS)
def test_a_table_of_the_reference_says_what_the_code_says(name: str) -> None:
    # Given the table that a page marks with this name
    assert name in TABLES, f"no page has a table marked with <!-- checked: {name} -->: write one under docs/reference"

    # When it is compared with the code
    found = differences(TABLES[name], FACTS[name]())

    # Then nothing has to be done to it
    assert not found, "\n" + "\n".join(found)


def test_every_checked_table_has_facts_to_be_compared_with() -> None:
    unknown = [f"{table.place}: nothing is known of {name!r}" for name, table in TABLES.items() if name not in FACTS]

    assert not unknown, unknown


def test_a_missing_row_a_stale_row_and_another_default_are_all_told() -> None:
    # Given a table that is behind the code in three ways
    table = Table("page.md:3", "states", {"old": ("`old`", ""), "kept": ("`kept`", "`1`")}, ())

    # When it is compared
    found = differences(table, {"new": None, "kept": "`2`"})

    # Then each is told with its place
    assert [("page.md:3" in text, word in text) for text, word in zip(found, ("new", "old", "`2`"), strict=True)] == [
        (True, True)
    ] * 3


@pytest.mark.parametrize("page", pages(), ids=title)
def test_every_mark_stands_before_a_block_or_a_table_that_it_can_mean(page: Path) -> None:
    assert not misplaced_marks(page)


@pytest.mark.parametrize("page", pages(), ids=title)
def test_every_link_to_a_file_of_the_repository_leads_to_one(page: Path) -> None:
    assert not {str(path) for path in links(page) if not path.exists()}
