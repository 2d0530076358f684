"""An agent is frozen (SIGSTOP) just before it submits, and goes on when another one has seen the run through.

No target has a fence, so nothing at the broker can refuse what the first one sends then: its name must be taken.
"""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.agents import AgentProcess, eventually
from tests.faults.conftest import Borrow
from tests.faults.fuse import Effect
from tests.faults.steps import TARGETS, Step
from tests.faults.yard import Yard


def _frozen(yard: Yard) -> AgentProcess:
    def is_frozen(agent: AgentProcess) -> bool:
        return psutil.Process(agent.pid).status() == psutil.STATUS_STOPPED

    eventually(lambda: any(map(is_frozen, yard.agents)), "an agent is frozen")
    return next(agent for agent in yard.agents if is_frozen(agent))


@pytest.mark.parametrize(("target", "step"), [*((target, Step.INTENT) for target in TARGETS), ("docker", Step.MADE)])
def test_an_agent_that_was_frozen_before_it_submitted_starts_no_second_job(
    target: str, step: Step, yards: Borrow
) -> None:
    with yards(target, 2) as yard:
        # Given a run that was adopted from its frozen agent, has ended, and of which nothing is left at the target
        run_id = yard.launch(step, Effect.FREEZE)
        yard.fuse.wait_until_burnt()
        frozen = _frozen(yard)
        run = yard.wait_until_it_ended(run_id)
        eventually(lambda: not yard.jobs.is_left(run), "the object is released")

        # When
        os.kill(frozen.pid, signal.SIGCONT)
        eventually(lambda: f"run-lost run={run_id}" in frozen.log.read_text(), "the frozen agent lets the run go")

        # Then, before somebody else could have removed it
        assert not yard.jobs.is_left(run)
        yard.check(run)
