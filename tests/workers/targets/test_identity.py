"""Names and labels at a platform."""

from __future__ import annotations

import re

from hypothesis import given, strategies

from workers.targets.identity import fitting, prefixed

NAME = "launchyard-r7k2m9x4q8ab-12"


@given(strategies.text(max_size=80), strategies.integers(min_value=len(NAME), max_value=128))
def test_a_name_fits_whatever_comes_before_it(prefix: str, limit: int) -> None:
    # When a run's name gets a prefix
    name = prefixed(prefix, NAME, limit)

    # Then it is no longer than the platform takes, and whose it is can still be read
    assert len(name) <= limit
    assert re.fullmatch(r"([A-Za-z0-9]+-)*" + NAME, name)


@given(strategies.text(max_size=80))
def test_a_text_that_was_made_to_fit_stays_as_it_is(text: str) -> None:
    once = fitting(text, "A-Za-z0-9._-", 63)

    assert re.fullmatch(r"[A-Za-z0-9._-]{0,63}", once)
    assert fitting(once, "A-Za-z0-9._-", 63) == once
