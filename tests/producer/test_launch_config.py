"""Launch configs of every shape: read, or refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from producer.launch_config import IGNORED, REFUSED, LaunchConfig, Overrides, read

KEYS = st.sampled_from([*LaunchConfig.model_fields, *Overrides.model_fields, *REFUSED, *IGNORED, "docker_image", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_object_is_read_or_refused_in_one_line(data: dict[str, Any]) -> None:
    try:
        config, notes = read(data)
        fields = config.fields
    except InvalidRequest:
        # Any other error fails the test.
        return
    # What has a value and was read is in the launch, or was told about.
    told = {note.split("'")[1] for note in notes}
    given = {key for key, value in data.items() if value not in (None, "", {})}
    assert told == given & set(IGNORED)
    assert {name for name in ("name", "project", "job", "base_image") if data.get(name)} <= set(fields)


@pytest.mark.parametrize("key", [key for key in REFUSED if "." not in key])
def test_every_refused_key_is_refused_with_a_cure_unless_it_is_empty(key: str) -> None:
    assert read({key: {}}) == (LaunchConfig(), [])
    with pytest.raises(InvalidRequest, match=f"'{key}' cannot be honoured: "):
        read({key: "x"})
