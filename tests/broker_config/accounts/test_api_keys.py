"""The text of an API key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_config.accounts.api_keys import new_secret, read


def test_a_key_is_read_as_it_was_written_and_no_two_are_the_same() -> None:
    keys = [new_secret() for _ in range(100)]
    assert [read(str(key)) for key in keys] == keys
    assert len(set(map(str, keys))) == len(keys)


def test_what_is_stored_does_not_show_the_key() -> None:
    key = new_secret()
    assert key.secret not in key.digest
    assert key.is_that(key.digest)
    assert not key.is_that(new_secret().digest)


@given(st.data())
def test_a_slip_of_the_hand_makes_no_other_key(data: st.DataObject) -> None:
    text = str(new_secret())
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda one: one != text[at]))
    assert read(text[:at] + letter + text[at + 1 :]) is None
    assert read(text[:at]) is None


@given(st.text())
def test_anything_else_is_no_key(text: str) -> None:
    assert read(text) is None
