"""A run's phases, from its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from broker_config.runs import Event
from broker_config.states import Reason, State
from producer import phases

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(seconds: float, state: State, attempt: int = 1) -> Event:
    return Event(at=START + timedelta(seconds=seconds), actor="a", new=state, reason=Reason.RUNNING, attempt=attempt)


def test_each_state_is_a_bar_from_its_beginning_to_the_next() -> None:
    found = phases.of([event(0, State.QUEUED), event(10, State.RUNNING), event(100, State.SUCCEEDED)])
    assert [(one.state, one.start, one.width) for one in found] == [
        (State.QUEUED, 0.0, 100.0),
        (State.RUNNING, 100.0, 900.0),
    ]


def test_news_within_a_state_are_no_phase_and_attempts_are() -> None:
    found = phases.of(
        [
            event(0, State.QUEUED),
            event(1, State.RUNNING),
            event(2, State.RUNNING),
            event(3, State.QUEUED, attempt=2),
            event(4, State.FAILED, attempt=2),
        ]
    )
    assert [(one.state, one.attempt) for one in found] == [(State.QUEUED, 1), (State.RUNNING, 1), (State.QUEUED, 2)]


def test_a_short_phase_is_seen_and_stays_inside() -> None:
    found = phases.of([event(0, State.QUEUED), event(999.99, State.CLAIMED), event(1000, State.FAILED)])
    assert found[-1].width == phases.NARROWEST
    assert found[-1].start + found[-1].width <= 1000


def test_a_run_without_events_has_none() -> None:
    assert phases.of([]) == []
