"""Objects at the targets that no live run stands for.

A crash between the record of a run's end and the release leaves one that has ended: it is released. What belongs to no
run that is known is only told of; it may be somebody's, and nothing is destroyed on suspicion.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import timedelta

from broker_config.errors import LaunchyardError
from broker_config.runs import Run, now
from broker_config.store.runs import RunStore
from workers.targets.protocol import Target

logger = logging.getLogger(__name__)

OBJECT_NAME = re.compile(r"launchyard-([a-z0-9]+)-(\d+)")
SETTLED = timedelta(seconds=60)
"""How long after its end a run's agent has for the release itself."""
RELEASED_SECONDS = 3600.0
"""How long the name of a released object stays taken, for agents that were frozen before they submitted it."""


class Sweeper:
    """Looks at everything of ours that the targets have."""

    def __init__(self, runs: RunStore, targets: Callable[[], Iterable[Target]]) -> None:
        self._runs = runs
        self._targets = targets
        self._told: set[str] = set()

    def sweep(self) -> None:
        """Release what has ended, and tell once of what belongs to no run."""
        for target in self._targets():
            try:
                self._sweep(target)
            except LaunchyardError as error:
                logger.warning("sweep-retry target=%s: %s", type(target).__name__, error)

    def _sweep(self, target: Target) -> None:
        for name in target.released(RELEASED_SECONDS):
            target.forget(name)
        names = {name: match[1] for name in target.inventory() if (match := OBJECT_NAME.fullmatch(name))}
        runs: dict[str, Run] = {run.id: run for run in self._runs.get_many(sorted(set(names.values())))}
        for name, run_id in names.items():
            run = runs.get(run_id)
            if run is None:
                self._tell(name)
            elif _is_over(run, name):
                logger.info("object-released run=%s name=%s", run.id, name)
                target.release(name)

    def _tell(self, name: str) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.warning("object-orphaned name=%s: its run is not known here; remove it if nobody needs it", name)


def _is_over(run: Run, name: str) -> bool:
    """Whether the object is of an attempt that has ended."""
    if run.state.is_terminal:
        return run.ended_at is not None and now() - run.ended_at > SETTLED
    return name != run.object_name and now() - run.since > SETTLED
