"""Lists that may be long, in parts: each answer says how to ask for the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from producer.wire import Page

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Most entries of one answer.")]


@dataclass(frozen=True)
class Part:
    """Which part of a list is wanted."""

    cursor: Annotated[str, Query(max_length=1000, description="That of the answer before.")] = ""
    limit: Limit = 100

    def of(self, items: Sequence[T], key: Callable[[T], str], *, from_last: bool = False) -> Page[T]:
        """That part of a list in the order of its keys, so that an entry which comes or goes moves no other one."""
        by_key = {key(item): item for item in items}
        keys = sorted(by_key, reverse=from_last)
        if self.cursor:
            keys = [one for one in keys if (one < self.cursor if from_last else one > self.cursor)]
        shown = keys[: self.limit]
        return Page(items=[by_key[one] for one in shown], cursor=shown[-1] if len(keys) > self.limit else None)


Wanted = Annotated[Part, Depends()]
