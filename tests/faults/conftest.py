"""Fixtures of the fault matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.faults.table import Table
from tests.faults.yard import Yard

Borrow = Callable[[str, int], AbstractContextManager[Yard]]


class Yards:
    """Keeps the yard of the last test for the next one."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[str, int], Yard] | None = None

    @contextmanager
    def borrow(self, target: str, agents: int) -> Iterator[Yard]:
        """A yard that is ready. One in which a test failed is not used again."""
        key = (target, agents)
        if self._kept is None or self._kept[0] != key:
            self.close()
            self._kept = (key, Yard(target, agents))
        yard = self._kept[1]
        try:
            yard.prepare()
            yield yard
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
        self._kept = None


@pytest.fixture(scope="session")
def yards() -> Iterator[Borrow]:
    kept = Yards()
    yield kept.borrow
    kept.close()


@pytest.fixture(scope="session")
def table() -> Table:
    return Table.from_environment()
