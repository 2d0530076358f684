"""A run's record has the name under which its job is found, wherever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.targets.vertex.handles import Handle

PARTS = st.text(min_size=1, max_size=30)


@given(
    run=st.from_regex(r"launchyard-[a-z0-9]{12}-\d", fullmatch=True),
    account=st.just("") | PARTS,
    place=st.tuples(PARTS, PARTS),
)
def test_a_name_is_read_back_as_it_was_written(run: str, account: str, place: tuple[str, str]) -> None:
    handle = Handle(run, account, *place)

    assert Handle.parse(str(handle)) == handle


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ({}, "launchyard-r-1"),
        ({"location": "europe-west4"}, "launchyard-r-1@/europe-west4"),
        ({"project": "research", "location": "europe-west4"}, "launchyard-r-1@research/europe-west4"),
        (
            {"impersonate_service_account": "a@b.example", "project": "research"},
            "launchyard-r-1@a%40b.example/research/",
        ),
    ],
)
def test_a_name_says_what_the_queue_config_says(place: dict[str, str], name: str) -> None:
    handle = Handle.of("launchyard-r-1", place)

    assert str(handle) == name
    assert Handle.parse(name) == handle
