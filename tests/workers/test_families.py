"""Members of the plug-in families, by name."""

from __future__ import annotations

import pytest

from broker_config.errors import ConfigError
from workers import families


def test_a_member_that_is_planned_is_told_apart_from_one_that_nobody_knows() -> None:
    with pytest.raises(ConfigError, match=r"^target 'vertex' is not in this version; take one that is: docker, "):
        families.load("targets", "vertex")
    with pytest.raises(ConfigError, match=r"^target 'vertix' does not exist; known: docker, "):
        families.load("targets", "vertix")


def test_what_is_called_planned_is_not_there() -> None:
    for family, planned in families.PLANNED.items():
        assert planned.isdisjoint(families.names(family))
