"""Runs that nobody carries on, taken up here: this agent's own by their records, and those of agents that are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from broker_config.runs import Run
from broker_config.store.runs import RunStore
from workers.holdings import Holdings
from workers.record import Recorder
from workers.subject import about_run

logger = logging.getLogger(__name__)


class Adopter:
    """Gives a run a place, makes it this session's, and has it carried on."""

    def __init__(
        self,
        runs: RunStore,
        recorder: Recorder,
        holdings: Holdings,
        carry_on: Callable[[Run], None],
        let_go: Callable[[Run], None],
    ) -> None:
        self._runs = runs
        self._recorder = recorder
        self._holdings = holdings
        self._carry_on = carry_on
        self._let_go = let_go

    def take_up(self, own: Iterable[Run]) -> None:
        """Take up runs that are this agent's already, and so count against its places in any case."""
        for run in own:
            if self._holdings.reserve(run.id):
                self._holdings.hold(run.id)
                self._adopt(run)

    def take_over(self, orphans: Iterable[Run]) -> None:
        """Take up runs of agents that are gone, as far as there are places."""
        for run in orphans:
            if self._holdings.reserve(run.id):
                if not self._holdings.find_place(run.id):
                    self._holdings.let_go(run.id)
                    return
                self._adopt(run)

    def _adopt(self, found: Run) -> None:
        with ExitStack() as undo:
            # Whatever happens, also a broker that is gone: the place is free again unless the run is carried on.
            undo.callback(self._let_go, found)
            self._recorder.adopt(found)
            # Read again: it may have ended, and been let go, since it was found.
            run = self._runs.get(found.id)
            if not self._recorder.holds(run):
                return
            with about_run(run):
                logger.info("run-adopted run=%s state=%s", run.id, run.state)
                self._carry_on(run)
            undo.pop_all()
