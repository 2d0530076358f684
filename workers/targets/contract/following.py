"""What is seen and read of an object: promises 3, 4 and 5 of `workers/targets/protocol.py`."""

from __future__ import annotations

import pytest

from broker_config.states import FailureClass, Reason
from workers.targets.contract.case import Behaviour
from workers.targets.contract.lab import LONG, Lab, watching
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Phase


class Following:
    """`observe`, `watch` and `read_logs`."""

    def test_a_job_that_ends_with_zero_has_succeeded(self, lab: Lab) -> None:
        # When
        ended = lab.end_of(lab.submit(Behaviour()))
        # Then
        assert (ended.phase, ended.exit_code, ended.failure) == (Phase.SUCCEEDED, 0, None)

    def test_a_job_that_ends_with_another_code_has_failed_by_its_own_fault(self, lab: Lab) -> None:
        # When
        ended = lab.end_of(lab.submit(Behaviour(exit_code=7)))
        # Then
        assert (ended.phase, ended.exit_code, ended.failure) == (Phase.FAILED, 7, FailureClass.USER)
        assert "7" in ended.text

    @pytest.mark.parametrize("code", [130, 137, 143])
    def test_a_job_that_a_signal_from_outside_has_ended_is_not_at_fault(self, lab: Lab, code: int) -> None:
        # When
        ended = lab.end_of(lab.submit(Behaviour(exit_code=code)))
        # Then
        assert (ended.phase, ended.reason, ended.exit_code) == (Phase.FAILED, Reason.EXITED, code)
        assert ended.failure is FailureClass.INFRA

    def test_names_that_were_never_submitted_are_missing_in_the_answer(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(seconds=LONG))
        # When
        observed = lab.target.observe([name, lab.new_name()])
        # Then
        assert list(observed) == [name]

    def test_watching_begins_with_a_look_at_everything_and_then_tells_of_each_end(self, lab: Lab) -> None:
        # Given
        told: list[str | None] = []
        with watching(lab.target, told.append):
            eventually(lambda: told)
            # When
            names = [lab.submit(Behaviour(seconds=0.3)) for _ in range(3)]
            # Then
            eventually(lambda: all(name in told and lab.end_of(name) for name in names))
        assert told[0] is None

    def test_watching_tells_of_the_end_of_an_object_that_another_agent_submitted(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(seconds=1.0))
        successor = lab.another_agent()
        ends: list[Phase] = []

        def changed(told: str | None) -> None:
            # As the agent does: a gap means to look at all that it holds.
            phase = successor.observe([name])[name].phase
            if told in {None, name} and phase.is_end:
                ends.append(phase)

        # When
        with watching(successor, changed):
            # Then
            eventually(lambda: ends)
        assert ends[0] is Phase.SUCCEEDED

    def test_lines_come_whole_and_in_order_also_to_a_second_reader(self, lab: Lab) -> None:
        # Given
        printed = tuple(f"line {number} with ümläuts" for number in range(200))
        # When
        name = lab.submit(Behaviour(lines=printed))
        lab.end_of(name)
        # Then
        assert lab.lines(name) == [*printed]
        assert lab.lines(name, lab.another_agent()) == [*printed]

    def test_reading_goes_on_from_a_position_that_another_agent_has_reached(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(lines=("one", "two"), seconds=LONG))
        position = ""
        read: list[str] = []

        def both() -> bool:
            nonlocal position
            chunk = lab.target.read_logs(name, position)
            position = chunk.position
            read.extend(chunk.lines)
            return len(read) == 2

        eventually(both)
        # When
        again = lab.another_agent().read_logs(name, position)
        # Then
        assert read == ["one", "two"]
        assert list(again.lines) == []
        assert not again.more

    def test_an_object_that_is_gone_has_no_lines(self, lab: Lab) -> None:
        assert list(lab.target.read_logs(lab.new_name(), "").lines) == []
