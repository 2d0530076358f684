"""The API server fails at every step of a run's life, while the agent stays alive: the job runs once, and ends once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pytest

from tests.faults.api_server import ApiServer, ClusterProxy
from tests.faults.cells import OF_THE_CLUSTER, Fault, cells
from tests.faults.conftest import Borrow
from tests.faults.fuse import Effect
from tests.faults.history import ended_after, taken_up
from tests.faults.steps import Step
from tests.faults.table import Cell, Table
from tests.faults.test_broker_faults import FAULT_SECONDS
from tests.faults.yard import Yard

CLUSTER_SECONDS = 240.0
"""The cluster's own controllers come back to a server that was killed after a pause, which grows with each kill."""


def _way(yard: Yard) -> ClusterProxy:
    assert yard.jobs.way is not None
    return yard.jobs.way


def _kill() -> Callable[[], None]:
    server = ApiServer()
    server.kill()
    return server.start


def _lose_replies(yard: Yard) -> Callable[[], None]:
    _way(yard).lose_replies()
    return _way(yard).cut


def _freeze(yard: Yard) -> Callable[[], None]:
    _way(yard).freeze()
    return _way(yard).thaw


FAULTS: Mapping[Fault, Callable[[Yard], Callable[[], None]]] = {
    Fault.CLUSTER_KILLED: lambda _: _kill(),
    Fault.CLUSTER_LOST: _lose_replies,
    Fault.CLUSTER_FROZEN: _freeze,
}
"""What strikes, and then what heals it."""


@pytest.mark.timeout(3 * CLUSTER_SECONDS)
@pytest.mark.parametrize(("target", "fault", "step"), cells(OF_THE_CLUSTER, ["kubernetes"]))
def test_a_run_survives_a_fault_of_the_api_server(
    target: str, fault: Fault, step: Step, yards: Borrow, table: Table
) -> None:
    with yards(target, 1) as yard:
        # Given a run whose agent has stopped at that step
        run_id = yard.launch(step, Effect.PARK)
        if step is Step.RUNS:
            yard.wait_until_it_runs(run_id, CLUSTER_SECONDS)
            struck = time.time()
        else:
            struck = yard.fuse.wait_until_burnt(CLUSTER_SECONDS)

        # When the agent goes on without an API server, for a while
        heal = FAULTS[fault](yard)
        yard.fuse.let_go()
        time.sleep(FAULT_SECONDS)
        heal()
        run = yard.wait_until_it_ended(run_id, CLUSTER_SECONDS)

        # Then
        yard.check(run)
        events = [event for _, event in yard.store.runs.events(run.id)]
        table.add(Cell(fault, step, target, taken_up(events, struck), ended_after(events, struck)))
