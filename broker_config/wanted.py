"""Which runs of many somebody wants to see: the same words for those on the broker and for those of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from pydantic import AwareDatetime, Field

from broker_config.frozen import Frozen
from broker_config.runs import Run
from broker_config.states import State


class WantedFields(TypedDict, total=False):
    """The same, as a caller in Python writes them."""

    queue: str
    entity: str
    states: Sequence[State | str]
    author: str
    name: str
    labels: Mapping[str, str]
    since: datetime
    until: datetime


class Wanted(Frozen):
    """What a run has to have; a field that is empty asks for nothing."""

    queue: str = ""  # by its full name
    entity: str = ""  # that owns the queue
    states: tuple[State, ...] = ()  # one of these
    author: str = ""
    name: str = ""  # a part of the run's name
    labels: dict[str, str] = Field(default_factory=dict)  # all of these
    since: AwareDatetime | None = None  # launched then or later
    until: AwareDatetime | None = None  # launched before

    def has(self, run: Run) -> bool:
        """Whether a run is wanted."""
        spec = run.spec
        return (
            self.queue in {"", spec.queue.full_name}
            and self.entity in {"", spec.queue.entity}
            and (not self.states or run.state in self.states)
            and self.author in {"", spec.author}
            and self.name in spec.name
            and self.labels.items() <= spec.labels.items()
            and self._is_in_time(spec.created_at)
        )

    def _is_in_time(self, launched_at: datetime) -> bool:
        return (self.since is None or launched_at >= self.since) and (self.until is None or launched_at < self.until)
