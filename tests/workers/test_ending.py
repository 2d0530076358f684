"""What a run's record says when its target was asked to end its job."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.states import Reason, State
from tests.broker_config.conftest import Hand
from workers.ending import Ending
from workers.record import Recorder
from workers.targets.stub import StubTarget


class SlowPlatform(StubTarget):
    """A target that has nothing to say on when a job is ended by force."""

    grace_seconds = 120


class SilentPlatform(StubTarget):
    """One that does not even know."""

    grace_seconds = None


@pytest.mark.parametrize(
    ("target", "when"),
    [
        (StubTarget, "by force after 7 s"),
        (SlowPlatform, "by force after 120 s"),
        (SilentPlatform, "by force when its platform chooses"),
    ],
)
def test_the_record_says_when_the_job_is_ended_by_force(
    target: type[StubTarget], when: str, hand: Hand, tmp_path: Path
) -> None:
    # Given
    claimed = hand.run_in(State.CLAIMED)
    run = hand.move(claimed, State.RUNNING, submission=claimed.object_name)
    recorder = Recorder(hand.store.runs, hand.name, hand.fence)

    # When
    Ending(lambda _: target(tmp_path), recorder, grace_seconds=7).ask(run)

    # Then
    noted = hand.store.runs.get(run.id)
    assert (noted.reason, noted.text) == (Reason.ENDING, f"The target was asked to end {run.submission}, {when}.")
