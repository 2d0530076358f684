"""How an object is ended: promise 6 of `workers/targets/protocol.py`."""

from __future__ import annotations

import time

from workers.targets.contract.case import Behaviour
from workers.targets.contract.lab import LONG, Lab
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Phase


class Ending:
    """`cancel`."""

    def test_a_cancelled_job_ends_as_cancelled_however_often_it_is_asked(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(seconds=LONG))
        # When
        lab.target.cancel(name, 30.0)
        lab.another_agent().cancel(name, 30.0)
        # Then
        assert lab.end_of(name).phase is Phase.CANCELLED
        lab.target.cancel(name, 30.0)
        assert lab.end_of(name).phase is Phase.CANCELLED

    def test_a_job_that_ignores_the_wish_is_ended_by_force_after_the_grace(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(lines=("deaf",), seconds=LONG, ignores_cancel=True))
        eventually(lambda: lab.lines(name))
        # When
        asked = time.monotonic()
        lab.target.cancel(name, 1.0)
        ended = lab.end_of(name)
        # Then
        assert ended.phase is Phase.CANCELLED
        assert "by force" in ended.text
        assert 0.9 <= time.monotonic() - asked < 15.0

    def test_a_wish_that_comes_after_the_end_does_not_change_the_end(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(exit_code=4))
        ended = lab.end_of(name)
        # When
        lab.target.cancel(name, 1.0)
        # Then
        assert lab.observe(name) == ended

    def test_cancelling_what_is_gone_succeeds(self, lab: Lab) -> None:
        name = lab.new_name()
        lab.target.cancel(name, 1.0)
        assert lab.observe(name) is None
