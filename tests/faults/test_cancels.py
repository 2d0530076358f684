"""A run is cancelled at every step of its life: it ends once, as cancelled as long as its job had not ended."""

from __future__ import annotations

import pytest

from broker_config.states import State
from tests.agents import eventually
from tests.faults.conftest import Borrow
from tests.faults.fuse import Effect
from tests.faults.history import ends
from tests.faults.steps import Step, steps_of

STEPS = [step for step in steps_of("stub") if step is not Step.RUNS]
BEFORE_SUBMIT = STEPS[: STEPS.index(Step.SUBMITTED)]
AFTER_THE_END = STEPS[STEPS.index(Step.END_SEEN) :]


@pytest.mark.parametrize("step", STEPS)
def test_a_run_is_cancelled_wherever_it_is(step: Step, yards: Borrow) -> None:
    with yards("stub", 1) as yard:
        # Given a run whose agent has stopped at that step
        run_id = yard.launch(step, Effect.PARK, seconds=0.1 if step in AFTER_THE_END else 600)
        yard.fuse.wait_until_burnt()

        # When
        runs = yard.store.runs
        runs.request_cancel(runs.get(run_id), "alice")
        yard.fuse.let_go()
        run = yard.wait_until_it_ended(run_id)

        # Then
        assert run.state is (State.SUCCEEDED if step in AFTER_THE_END else State.CANCELLED), run.text
        assert ends([event for _, event in runs.events(run_id)]) == 1
        assert yard.jobs.times_begun(run) <= (0 if step in BEFORE_SUBMIT and step is not Step.INTENT else 1)
        eventually(lambda: not yard.jobs.is_left(run), "nothing is left at the target")
        yard.check_places()
