"""What stays of an object and of its name: promises 7, 8, 9 and 10 of `workers/targets/protocol.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_config.errors import TemporaryError
from workers.targets.contract.case import Behaviour
from workers.targets.contract.lab import LONG, Lab
from workers.targets.protocol import Phase, Request


class Releasing:
    """`release`, `inventory` and `passport`."""

    def test_after_its_release_an_object_is_gone_for_all_and_may_be_released_again(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(lines=("something",)))
        lab.end_of(name)
        # When
        lab.target.release(name)
        lab.another_agent().release(name)
        # Then
        assert lab.observe(name) is None
        assert lab.another_agent().observe([name]) == {}
        assert lab.lines(name) == []

    def test_the_inventory_names_objects_of_all_agents_until_their_release(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour())
        # When
        before = lab.another_agent().inventory()
        lab.end_of(name)
        lab.target.release(name)
        # Then
        assert name in before
        assert name not in lab.target.inventory()

    def test_the_passport_of_a_request_is_given_back_to_all_agents_and_is_no_part_of_the_digest(self, lab: Lab) -> None:
        # Given
        request = lab.target.render(lab.workload(Behaviour(seconds=LONG)))
        stamped = replace(request, passport='{"who": "run 1, \u00e4"}')
        # When another agent submits the same with another passport
        lab.target.submit(stamped)
        lab.another_agent().submit(replace(request, passport="later"))
        # Then
        assert stamped.digest == request.digest
        assert lab.another_agent().passport(request.name) == stamped.passport
        assert lab.target.passport(f"{request.name}0") == ""

    def test_what_runs_is_not_released(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(seconds=LONG))
        # When
        with pytest.raises(TemporaryError, match="run"):
            lab.target.release(name)
        # Then
        observed = lab.observe(name)
        assert observed is not None
        assert not observed.phase.is_end

    def test_a_submit_that_comes_after_the_release_makes_nothing(self, lab: Lab) -> None:
        # Given an object that another agent adopted and released while this one was frozen
        request = lab.target.render(lab.workload(Behaviour(lines=("only once",))))
        lab.another_agent().submit(request)
        lab.end_of(request.name)
        lab.another_agent().release(request.name)
        # When
        lab.target.submit(request)
        # Then
        assert lab.observe(request.name) is None
        assert request.name not in lab.target.inventory()

    def test_a_name_that_was_released_before_its_submit_stays_taken(self, lab: Lab) -> None:
        # Given a run that was cancelled before another agent had submitted it
        request = lab.target.render(lab.workload(Behaviour(lines=("never",))))
        lab.another_agent().release(request.name)
        # When
        lab.target.submit(request)
        # Then
        assert lab.observe(request.name) is None
        assert lab.lines(request.name) == []

    def test_a_name_that_was_never_submitted_is_free_again_when_its_release_is_forgotten(self, lab: Lab) -> None:
        # Given
        request = lab.target.render(lab.workload(Behaviour(lines=("at last",))))
        lab.target.release(request.name)
        # Then
        expect_free_when_forgotten(lab, request, "at last")


def expect_free_when_forgotten(lab: Lab, request: Request, line: str) -> None:
    """See that a released name is told, and that an object can have it again; the line is what its job prints."""
    assert request.name in lab.another_agent().released(0.0)
    assert request.name not in lab.another_agent().released(3600.0)
    lab.target.forget(request.name)
    lab.target.submit(request)
    assert lab.end_of(request.name).phase is Phase.SUCCEEDED
    assert lab.lines(request.name) == [line]
