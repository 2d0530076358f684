"""Hears the wish to cancel a run, wherever the run is, and has it carried out until the job is gone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from broker_config.errors import LaunchyardError
from broker_config.runs import Run, RunId
from broker_config.store.runs import RunStore

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 5.0
RECONNECT_SECONDS = 1.0


class Wishes:
    """One thread that listens: for wishes on the runs of this agent, and for runs that another agent released."""

    def __init__(
        self,
        runs: RunStore,
        held: Callable[[], set[str]],
        carry_out: Callable[[Run], None],
        take_over: Callable[[list[RunId]], None],
    ) -> None:
        self._runs = runs
        self._held = held
        self._carry_out = carry_out
        self._take_over = take_over
        self._cancelled: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="wishes", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stop.set()

    def is_cancelled(self, run_id: str) -> bool:
        """Whether somebody wishes this run to be cancelled, as far as this agent has heard."""
        return run_id in self._cancelled

    def note(self, run: Run) -> None:
        """Look at a run's record for a wish that was written before this agent held it."""
        if run.cancel_requested_by:
            self._cancelled.add(run.id)

    def forget(self, run_id: str) -> None:
        """The run has ended."""
        self._cancelled.discard(run_id)

    def _listen(self) -> None:
        position = None
        asked = time.monotonic()
        while not self._stop.is_set():
            try:
                if position is None:
                    # After a gap, wishes may have come and gone: the records themselves tell.
                    position = self._runs.wishes_position()
                    self._look(sorted(self._held()))
                position, run_ids = self._runs.wishes(position, LISTEN_SECONDS)
                held = self._held()
                self._look([run_id for run_id in run_ids if run_id in held])
                # A wish about a run that this agent does not hold: its agent may have stopped.
                if others := [run_id for run_id in run_ids if run_id not in held]:
                    self._take_over(others)
                # A target that did not answer is asked again, however many wishes come meanwhile.
                if time.monotonic() - asked >= LISTEN_SECONDS:
                    asked = time.monotonic()
                    self._look([run_id for run_id in self._cancelled if run_id in held])
            except LaunchyardError as error:
                logger.warning("wishes-lost: %s", error)
                position = None
                self._stop.wait(RECONNECT_SECONDS)
            except Exception:
                logger.exception("wishes-fault")
                position = None
                self._stop.wait(RECONNECT_SECONDS)

    def _look(self, run_ids: list[str]) -> None:
        for run in self._runs.get_many(run_ids) if run_ids else ():
            if run.cancel_requested_by and run.state.is_live:
                self._cancelled.add(run.id)
                try:
                    self._carry_out(run)
                except LaunchyardError as error:
                    logger.warning("cancel-retry run=%s: %s", run.id, error)
