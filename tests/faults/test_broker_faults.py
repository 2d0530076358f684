"""The broker fails at every step of a run's life, while the agent stays alive: the job runs once, and ends once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping

import psutil
import pytest

from tests.agents import eventually
from tests.faults.cells import OF_THE_BROKER, Fault, cells
from tests.faults.conftest import Borrow
from tests.faults.fuse import Effect
from tests.faults.history import ended_after, taken_up
from tests.faults.steps import Step
from tests.faults.table import Cell, Table
from tests.faults.yard import Yard

FAULT_SECONDS = 1.0
"""How long the broker stays away: the length of the fault, and no proof of anything."""


def _stop(yard: Yard) -> None:
    yard.broker.stop()


def _kill(yard: Yard) -> None:
    pid = yard.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "it is dead")


def _start(yard: Yard) -> None:
    yard.broker.ensure_running()


FAULTS: Mapping[Fault, tuple[Callable[[Yard], object], Callable[[Yard], object]]] = {
    Fault.BROKER_RESTARTED: (_stop, _start),
    Fault.BROKER_KILLED: (_kill, _start),
    Fault.BROKER_LOST: (lambda yard: yard.proxy.lose_replies(), lambda yard: yard.proxy.cut()),
    Fault.BROKER_FROZEN: (lambda yard: yard.proxy.freeze(), lambda yard: yard.proxy.thaw()),
}


@pytest.mark.parametrize(("target", "fault", "step"), cells(OF_THE_BROKER))
def test_a_run_survives_a_fault_of_the_broker(
    target: str, fault: Fault, step: Step, yards: Borrow, table: Table
) -> None:
    with yards(target, 1) as yard:
        # Given a run whose agent has stopped at that step
        run_id = yard.launch(step, Effect.PARK)
        if step is Step.RUNS:
            yard.wait_until_it_runs(run_id)
            struck = time.time()
        else:
            struck = yard.fuse.wait_until_burnt()

        # When the agent goes on without a broker, for a while
        strike, heal = FAULTS[fault]
        strike(yard)
        yard.fuse.let_go()
        time.sleep(FAULT_SECONDS)
        heal(yard)
        run = yard.wait_until_it_ended(run_id)

        # Then
        yard.check(run)
        events = [event for _, event in yard.store.runs.events(run.id)]
        table.add(Cell(fault, step, target, taken_up(events, struck), ended_after(events, struck)))
