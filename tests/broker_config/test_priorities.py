"""Priorities, by name and by number."""

from __future__ import annotations

import pytest

from broker_config.errors import InvalidRequest
from broker_config.priorities import PLACES, SEPARATOR, STEPS, Priority, first_place, list_key, parse_priority


@pytest.mark.parametrize(
    ("written", "priority"),
    [
        ("critical", Priority.CRITICAL),
        ("high", Priority.HIGH),
        ("medium", Priority.MEDIUM),
        ("low", Priority.LOW),
        ("High", Priority.HIGH),
        (0, Priority.CRITICAL),
        (3, Priority.LOW),
        (Priority.LOW, Priority.LOW),
    ],
)
def test_a_priority_is_a_name_or_a_number(written: str | int, priority: Priority) -> None:
    assert parse_priority(written) is priority


@pytest.mark.parametrize("written", ["", "hgih", "1", -1, 4, 99, True, False])
def test_anything_else_is_refused_and_never_rounded(written: str | int) -> None:
    with pytest.raises(InvalidRequest, match=r"priority .* does not exist; "):
        parse_priority(written)


def test_a_misspelt_name_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidRequest, match="priority 'hgih' does not exist; did you mean 'high'"):
        parse_priority("hgih")


def test_each_priority_has_a_list_of_its_own_and_the_most_urgent_one_the_bare_name() -> None:
    assert [list_key("gpu", priority) for priority in Priority] == ["gpu", "gpu:1", "gpu:2", "gpu:3"]


def test_each_priority_is_a_step_of_the_transport() -> None:
    assert (tuple(map(int, Priority)), SEPARATOR) == (STEPS, ":")


@pytest.mark.parametrize("priority", list(Priority))
def test_every_place_in_a_queue_is_a_number_that_a_float_holds_exactly(priority: Priority) -> None:
    for place in (0, 1, PLACES - 2, PLACES - 1):
        waits = first_place(priority) + place
        assert int(float(waits)) == waits
        assert float(waits) < float(waits + 1)
