"""Signatures: what is signed is taken, and nothing else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.signing import KEY_BYTES, Keyring, NotGenuine, Signed, read_keys

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
RING = Keyring({"new": b"n" * KEY_BYTES, "old": b"o" * KEY_BYTES})

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=200)


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def is_genuine(text: str, signature: str, ring: Keyring = RING, oldest: datetime = AT) -> bool:
    try:
        ring.verify(Signed.SPEC, text, signature, oldest)
    except NotGenuine:
        return False
    return True


@given(texts)
def test_what_was_signed_is_genuine(text: str) -> None:
    assert is_genuine(text, RING.sign(Signed.SPEC, text, AT))


@given(texts, st.data())
def test_any_other_byte_in_the_text_is_seen(text: str, data: st.DataObject) -> None:
    # Given
    signature = RING.sign(Signed.SPEC, text, AT)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(texts.filter(lambda other: other[0] != text[place]))

    # Then
    assert not is_genuine(text[:place] + other[0] + text[place + 1 :], signature)
    assert not is_genuine(text[:place] + text[place + 1 :], signature)
    assert not is_genuine(text[:place] + other[0] + text[place:], signature)


@given(texts, st.data())
def test_any_other_byte_in_the_name_the_time_or_the_digest_is_seen(text: str, data: st.DataObject) -> None:
    # Given
    signature = RING.sign(Signed.SPEC, text, AT)
    place = data.draw(st.integers(0, len(signature) - 1))
    other = data.draw(st.characters().filter(lambda other: other != signature[place]))

    # Then
    assert not is_genuine(text, signature[:place] + other + signature[place + 1 :])
    assert not is_genuine(text, signature[:place] + signature[place + 1 :])
    assert not is_genuine(text, signature + other)


@given(texts, st.text(max_size=80))
def test_what_is_made_up_is_refused(text: str, signature: str) -> None:
    assert not is_genuine(text, signature)


def test_no_part_of_the_text_passes_for_a_part_of_the_time() -> None:
    # Given
    key_id, seconds, digest = RING.sign(Signed.SPEC, "first line\nsecond line", AT).split(".")

    # Then
    assert not is_genuine("second line", f"{key_id}.{seconds}\nfirst line.{digest}")


def test_a_signature_stands_for_one_kind_of_text() -> None:
    with pytest.raises(NotGenuine, match="not what was signed"):
        RING.verify(Signed.RESOLVED, "text", RING.sign(Signed.SPEC, "text", AT))


def test_the_first_key_signs_and_all_are_taken_for_good() -> None:
    # Given a new key in front of the one that others still sign with
    before, after = Keyring({"old": RING.keys["old"]}), Keyring({"new": RING.keys["new"]})
    of_old, of_both = (ring.sign(Signed.SPEC, "text", AT) for ring in (before, RING))

    # Then
    assert (of_old.split(".")[0], of_both.split(".")[0]) == ("old", "new")
    assert is_genuine("text", of_old)
    assert is_genuine("text", of_both, after)
    with pytest.raises(NotGenuine, match="a key that is not known here, 'old'; known: new"):
        after.verify(Signed.SPEC, "text", of_old, AT)


def test_a_key_of_the_same_name_is_not_the_same_key() -> None:
    assert not is_genuine("text", RING.sign(Signed.SPEC, "text", AT), Keyring({"new": b"x" * KEY_BYTES}))


def test_a_signature_is_good_until_it_is_too_old() -> None:
    # Given
    signature = RING.sign(Signed.SPEC, "text", AT)

    # Then
    assert is_genuine("text", signature, oldest=AT)
    with pytest.raises(NotGenuine, match=r"too old by 1 day, 0:00:00; launch it again, or raise signature_max_age"):
        RING.verify(Signed.SPEC, "text", signature, AT + timedelta(days=1))


def test_a_signature_is_short_enough_for_a_compact_record() -> None:
    assert len(Keyring({"12345678": b"k" * KEY_BYTES}).sign(Signed.SPEC, "text", AT)) == 63


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
def test_keys_are_read_in_their_order(alphabet: object) -> None:
    # Given
    key = bytes(range(224, 224 + KEY_BYTES))

    # When
    ring = read_keys(f"2026-11:{alphabet(key).decode()}, old:{encoded(b'o' * 40)}")  # type: ignore[operator]

    # Then
    assert list(ring.keys.items()) == [("2026-11", key), ("old", b"o" * 40)]
    assert "keys" not in repr(ring)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (encoded(b"s" * 32), "key 1 has no name"),
        (f"a:{encoded(b's' * 32)},", "key 2 has no name"),
        (f"a.b:{encoded(b's' * 32)}", "key 1 has no name"),
        (f"too-long-a-name:{encoded(b's' * 32)}", "key 1 has no name"),
        ("a:secret!", "key 'a' is not base64; make one with: openssl rand -base64 32"),
        (f"a:{encoded(b's' * 31)}", "key 'a' has 31 bytes, and a key needs 32"),
        (f"a:{encoded(b's' * 32)},a:{encoded(b't' * 32)}", "two keys have the name 'a'"),
    ],
)
def test_what_are_no_keys_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_keys(text)
    assert "secret" not in str(caught.value)
    assert encoded(b"s" * 30)[:-4] not in str(caught.value)
