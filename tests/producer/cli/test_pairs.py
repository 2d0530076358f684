from __future__ import annotations

import pytest

from broker_config.errors import InvalidRequest
from producer.cli import pairs


def test_values_are_read_as_yaml_and_laid_over_one_another_in_order() -> None:
    # Given paths and objects, when they are read together, then later ones win inside objects
    given = ["a.b=1", '{"a": {"c": true}}', "a.b=[2, x]", "text=hello world", "gone=null"]
    assert pairs.settings(given, "--override") == {
        "a": {"b": [2, "x"], "c": True},
        "text": "hello world",
        "gone": None,
    }


def test_a_text_that_is_no_pair_is_refused_with_its_option() -> None:
    # Given a text without `=`, when it is read, then the option is named
    with pytest.raises(InvalidRequest, match="--label 'team' must be KEY=VALUE"):
        pairs.plain_pairs(["team"], "--label")
