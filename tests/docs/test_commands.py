"""The commands of the documentation, as a reader would type them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import blocks, pages, title
from tests.docs.shell import Shell

RUNNABLE = [page for page in pages() if blocks(page)]


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.close()


def test_the_readme_and_the_quickstart_have_commands_that_run() -> None:
    assert {"README.md", "docs/quickstart.md"} <= {title(page) for page in RUNNABLE}


@pytest.mark.parametrize("page", RUNNABLE, ids=title)
def test_the_commands_of_a_page_work_one_after_the_other(page: Path, shell: Shell) -> None:
    # Given a reader with an empty home folder in an empty project
    # When they type what the page says, from its beginning to its end
    for block in blocks(page):
        # Then every block does what it should
        shell.run(block)
