"""An agent is stopped (SIGTERM) at every step of a run's life, and another one has the run within two seconds."""

from __future__ import annotations

import os
import signal
import time

import pytest

from broker_config.runs import RunId
from tests.agents import AgentProcess
from tests.faults.cells import Fault, cells
from tests.faults.conftest import Borrow
from tests.faults.fuse import Effect
from tests.faults.history import ended_after, taken_up
from tests.faults.steps import Step
from tests.faults.table import Cell, Table
from tests.faults.yard import Yard

BOUND_SECONDS = 2.0


def _strike(yard: Yard, step: Step) -> tuple[RunId, float, AgentProcess]:
    """Launch a run and have its agent stopped at that step. Returns the run's id, the time, and the agent."""
    run_id = yard.launch(step, Effect.PARK)
    if step is Step.RUNS:
        yard.wait_until_it_runs(run_id)
        (agent,) = (agent for agent in yard.agents if agent.name == yard.store.runs.get(run_id).agent)
    else:
        yard.fuse.wait_until_burnt()
        (agent,) = (agent for agent in yard.agents if agent.pid == yard.fuse.burnt_by)
    struck = time.time()
    os.kill(agent.pid, signal.SIGTERM)
    # Only then it goes on, so that it meets all that follows as an agent that stops.
    yard.fuse.wait_until_stopping()
    yard.fuse.let_go()
    assert agent.wait() == 0
    return run_id, struck, agent


@pytest.mark.parametrize(("target", "fault", "step"), cells([Fault.AGENT_STOPPED]))
def test_a_run_survives_the_stop_of_its_agent(
    target: str, fault: Fault, step: Step, yards: Borrow, table: Table
) -> None:
    with yards(target, 2) as yard:
        # When
        run_id, struck, stopped = _strike(yard, step)
        run = yard.wait_until_it_ended(run_id)

        # Then
        yard.check(run)
        events = [event for _, event in yard.store.runs.events(run.id)]
        after = taken_up(events, struck, gone=stopped.name)
        assert (after or 0.0) < BOUND_SECONDS, events
        table.add(Cell(fault, step, target, after, ended_after(events, struck)))
