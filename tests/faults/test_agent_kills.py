"""An agent is killed (SIGKILL) at every step of a run's life: the job runs once, and ends once.

One agent of that name is started again, or another one that runs already takes over when the lease has ended.
"""

from __future__ import annotations

import time

import pytest

from broker_config.runs import RunId
from tests.agents import AgentProcess, eventually
from tests.faults.cells import KILLS, Fault, cells
from tests.faults.conftest import Borrow
from tests.faults.fuse import Effect
from tests.faults.history import ended_after, taken_up
from tests.faults.steps import Step
from tests.faults.table import Cell, Table
from tests.faults.yard import LEASE_SECONDS, Yard

BOUND_SECONDS = {Fault.AGENT_RESTARTED: 15.0, Fault.AGENT_REPLACED: 3 * LEASE_SECONDS}
"""Most that may pass from the kill until an agent has the run. A restart includes the start of a Python process."""


def _strike(yard: Yard, step: Step) -> tuple[RunId, float, AgentProcess]:
    """Launch a run and have its agent killed at that step. Returns the run's id, the time, and the dead agent."""
    run_id = yard.launch(step, Effect.DIE)
    if step is Step.RUNS:
        holder = yard.wait_until_it_runs(run_id).agent
        agent = next(agent for agent in yard.agents if agent.name == holder)
        struck = time.time()
        agent.kill()
        return run_id, struck, agent
    struck = yard.fuse.wait_until_burnt()
    eventually(lambda: not all(agent.is_alive for agent in yard.agents), "the agent is dead")
    return run_id, struck, next(agent for agent in yard.agents if not agent.is_alive)


@pytest.mark.parametrize(("target", "fault", "step"), cells(KILLS))
def test_a_run_survives_the_death_of_its_agent(
    target: str, fault: Fault, step: Step, yards: Borrow, table: Table
) -> None:
    is_restarted = fault is Fault.AGENT_RESTARTED
    with yards(target, 1 if is_restarted else 2) as yard:
        # Given a run whose agent dies at that step
        run_id, struck, dead = _strike(yard, step)

        # When
        if is_restarted:
            dead.start()
        run = yard.wait_until_it_ended(run_id)

        # Then
        yard.check(run)
        events = [event for _, event in yard.store.runs.events(run.id)]
        after = taken_up(events, struck)
        assert (after or 0.0) < BOUND_SECONDS[fault]
        table.add(Cell(fault, step, target, after, ended_after(events, struck)))
