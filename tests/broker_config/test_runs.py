"""Runs: ids, and the state machine."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.runs import Launch, new_run_id
from broker_config.states import TERMINAL, State, may_change

LIFE = [State.QUEUED, State.CLAIMED, State.BUILDING, State.SUBMITTING, State.STARTING, State.RUNNING]
ENDS = [State.SUCCEEDED, State.FAILED, State.CANCELLED, State.PREEMPTED]


def test_every_state_is_on_the_way_or_an_end() -> None:
    assert set(State) == {*LIFE, *ENDS}
    assert set(ENDS) == TERMINAL


@pytest.mark.parametrize("end", ENDS)
def test_nothing_follows_an_end(end: State) -> None:
    assert not any(may_change(end, state) for state in State)


@pytest.mark.parametrize("state", LIFE)
def test_a_run_that_has_not_ended_may_end_in_every_way(state: State) -> None:
    assert all(may_change(state, end) for end in ENDS)


@pytest.mark.parametrize("place", range(len(LIFE)))
def test_a_run_goes_forward_or_back_to_its_queue_and_nowhere_else(place: int) -> None:
    # When
    reachable = {state for state in LIFE if may_change(LIFE[place], state)}

    # Then
    back = {State.QUEUED} if place else set()
    assert reachable == {*LIFE[place + 1 :], *back}


def test_a_run_is_live_while_an_agent_holds_it() -> None:
    assert {state for state in State if state.is_live} == set(LIFE[1:])


class Life(RuleBasedStateMachine):
    """Any sequence of changes that the table lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.QUEUED
        self.ended_as: State | None = None
        self.steps_since_queued = 0

    @rule(new=st.sampled_from(list(State)))
    def change(self, new: State) -> None:
        if may_change(self.state, new):
            self.steps_since_queued = 0 if new is State.QUEUED else self.steps_since_queued + 1
            self.state = new
            self.ended_as = self.ended_as or (new if new.is_terminal else None)

    @invariant()
    def an_end_is_for_ever(self) -> None:
        assert self.ended_as in {None, self.state}

    @invariant()
    def an_attempt_takes_at_most_as_many_steps_as_there_are_states_on_the_way(self) -> None:
        assert self.steps_since_queued <= len(LIFE)


TestLife = Life.TestCase


def test_ids_are_twelve_safe_characters_and_differ() -> None:
    # When
    ids = {new_run_id() for _ in range(10_000)}

    # Then
    assert len(ids) == 10_000
    assert all(re.fullmatch(r"[a-z2-9]{12}", run_id) for run_id in ids)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "'a b' cannot be a name"),
        ({"labels": {"a b": "x"}}, "'a b' cannot be a name"),
        ({"labels": {"a": "x" * 257}}, "labels.a"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"priority": 7}, "priority"),
        ({"overides": {}}, "unknown field 'overides'; did you mean 'overrides'?"),
    ],
)
def test_a_launch_that_cannot_be_is_refused_with_the_field(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        parse(Launch, {"queue": "gpu", "job": {"source": {"type": "image", "image": "x"}}, **fields}, "launch")
