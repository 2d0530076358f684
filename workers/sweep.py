"""Objects at the targets that no live run stands for.

A crash between the record of a run's end and the release leaves one that has ended: it is released. One that runs
although its run has ended is ended before. What belongs to no run that is known is only told of; it may be somebody's,
and nothing is destroyed on suspicion. It is removed when an operator says so by its name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial

from broker_config.errors import LaunchyardError
from broker_config.runs import now
from broker_config.store import Store
from broker_config.store.orphans import Orphan, Removal
from broker_config.store.runs import Standing
from workers.targets.protocol import Target, Unlisted

logger = logging.getLogger(__name__)

OBJECT_NAME = re.compile(r"launchyard-([a-z0-9]+)-(\d+)(?:@.*)?")
"""The run's id and its attempt, and where the object is if its target has several places."""

SETTLED = timedelta(seconds=60)
"""How long after its end a run's agent has for the release itself."""
RELEASED_SECONDS = 3600.0
"""How long the name of a released object stays taken, for agents that were frozen before they submitted it."""
TOLD = timedelta(hours=24)
"""How long the outcome of a removal is told, and what an agent has said that says nothing any more."""


class Sweeper:
    """Looks at everything of ours that the targets have."""

    def __init__(
        self, store: Store, agent: str, targets: Callable[[], Mapping[str, Target]], grace_seconds: float
    ) -> None:
        """`targets` are by resource; the grace is between asking an object to end and ending it by force."""
        self._store = store
        self._agent = agent
        self._targets = targets
        self._grace_seconds = grace_seconds

    def sweep(self) -> None:
        """Release what has ended, and say in the store, and once in the log, what belongs to no run."""
        known = {(orphan.resource, orphan.name): orphan for orphan in self._store.orphans.seen_by(self._agent)}
        found: list[Orphan] = []
        for resource, target in self._targets().items():
            before = {name: orphan for (of, name), orphan in known.items() if of == resource}
            names, are_all = self._orphans_of(target)
            found += [self._orphan(resource, name, before.get(name)) for name in names]
            if not are_all:
                # What was there before is not known to be gone.
                found += [orphan for name, orphan in before.items() if name not in names]
        self._store.orphans.report(self._agent, found)
        self._store.orphans.forget_unseen(TOLD)

    def _orphans_of(self, target: Target) -> tuple[list[str], bool]:
        """The objects that belong to no run, when everything else was seen to; and whether all places were heard."""
        try:
            for name in target.released(RELEASED_SECONDS):
                _attempt(target.forget, name)
            return self._sweep(target, target.inventory()), True
        except Unlisted as error:
            logger.warning("sweep-retry target=%s: %s", type(target).__name__, error)
            return self._sweep(target, error.names), False
        except LaunchyardError as error:
            logger.warning("sweep-retry target=%s: %s", type(target).__name__, error)
            return [], False

    def _sweep(self, target: Target, names: Iterable[str]) -> list[str]:
        objects = [match for name in names if (match := OBJECT_NAME.fullmatch(name))]
        runs = self._store.runs.standings(sorted({match[1] for match in objects}))
        for match in objects:
            run = runs.get(match[1])
            if run is not None and _is_over(run, int(match[2])):
                _attempt(partial(self._clear, target), match[0])
        return [match[0] for match in objects if match[1] not in runs]

    def _clear(self, target: Target, name: str) -> None:
        if self._is_gone(target, name):
            logger.info("object-released name=%s", name)
        else:
            # Such as the job of an agent that met a fault: the record says that it is no more, and so it must be.
            logger.warning("object-ending name=%s: its run has ended, and it has not", name)

    def _is_gone(self, target: Target, name: str) -> bool:
        """Remove it, or ask it to end if it has not."""
        observed = target.observe([name]).get(name)
        if observed is not None and not observed.phase.is_end:
            target.cancel(name, self._grace_seconds)
            return False
        target.release(name)
        return True

    def _orphan(self, resource: str, name: str, known: Orphan | None) -> Orphan:
        at = now()
        if known is None:
            logger.warning("object-orphaned name=%s: its run is not known here; remove it if nobody needs it", name)
        since = known.since if known else at
        return Orphan(name=name, resource=resource, agent=self._agent, since=since, seen_at=at)

    def carry_out_removals(self) -> None:
        """Remove what an operator wants to be gone, of what this agent has said that it sees."""
        wishes = self._store.orphans.removals()
        if not wishes:
            return
        seen = self._store.orphans.seen_by(self._agent)
        for orphan in seen:
            if (wish := wishes.get(orphan.name)) and not wish.outcome:
                self._carry_out(orphan, wish)
        for name, wish in wishes.items():
            if wish.outcome and now() - wish.at > TOLD:
                self._store.orphans.forget_removal(name)

    def _carry_out(self, orphan: Orphan, wish: Removal) -> None:
        target = self._targets().get(orphan.resource)
        if target is None:
            return
        try:
            outcome = self._remove(orphan.name, target)
        except LaunchyardError as error:
            logger.warning("removal-retry name=%s: %s", orphan.name, error)
            return
        if outcome:
            logger.info("object-removed name=%s by=%s: %s", orphan.name, wish.by, outcome)
            self._store.orphans.conclude_removal(orphan.name, wish, self._agent, outcome)
            left = [other for other in self._store.orphans.seen_by(self._agent) if other.name != orphan.name]
            self._store.orphans.report(self._agent, left)

    def _remove(self, name: str, target: Target) -> str:
        """What became of it; empty while it is ending."""
        match = OBJECT_NAME.fullmatch(name)
        if match and self._store.runs.standings([match[1]]):
            return "kept: its run is known by now"
        return "removed" if self._is_gone(target, name) else ""


def _attempt(call: Callable[[str], None], name: str) -> None:
    try:
        call(name)
    except LaunchyardError as error:
        # The others must not wait for it.
        logger.warning("release-failed name=%s: %s", name, error)


def _is_over(run: Standing, attempt: int) -> bool:
    """Whether an object is of an attempt that has ended. One of a later attempt than the record knows is not."""
    if run.state.is_terminal:
        return attempt <= run.attempt and run.ended_at is not None and now() - run.ended_at > SETTLED
    return attempt < run.attempt and now() - run.since > SETTLED
