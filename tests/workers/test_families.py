"""Members of the plug-in families, by name."""

from __future__ import annotations

import pytest

from broker_config.errors import ConfigError
from workers import families


def test_a_member_that_nobody_knows_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"^target 'slurm' does not exist; known: docker, "):
        families.load("targets", "slurm")
