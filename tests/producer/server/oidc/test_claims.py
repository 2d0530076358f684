"""Who somebody is by what a provider says, whatever it says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.accounts.oidc import Person
from broker_config.queues import check_name
from broker_config.settings import Settings
from producer.server.oidc.claims import person_of
from producer.server.oidc.refused import SignInRefused

ISSUER = "https://id.example.com"
SETTINGS = Settings(oidc_issuer=ISSUER, oidc_client_id="launchyard", oidc_groups="ml=vision:launcher")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "bob"}, "bob"),
        ({"preferred_username": "bob.b@example.com"}, "bob.b"),
        ({"preferred_username": "Bob van der B."}, "Bob-van-der-B"),
        ({"preferred_username": "", "email": "bob@example.com"}, "bob"),
        ({"preferred_username": "@", "email": "bob@example.com"}, "bob"),
        ({"preferred_username": ["bob"], "email": "bob@example.com"}, "bob"),
        ({"email": "x" * 100}, "x" * 64),
    ],
)
def test_a_name_is_one_that_users_can_have(claims: dict[str, Any], name: str) -> None:
    assert person_of({"sub": "1", **claims}, SETTINGS) == Person(f"{ISSUER} 1", name)


@pytest.mark.parametrize(
    ("told", "groups"),
    [
        (["ml", "x"], {"ml", "x"}),
        ("ml", {"ml"}),
        ([], set()),
        (None, set()),
        (["ml", 1, None], {"ml"}),
        ({"ml": 1}, set()),
    ],
)
def test_groups_are_texts_in_a_list_or_one_alone(told: Any, groups: set[str]) -> None:
    assert person_of({"sub": "1", "email": "bob", "groups": told}, SETTINGS).groups == groups


def test_groups_that_were_left_out_are_not_taken_for_none() -> None:
    with pytest.raises(SignInRefused, match="left your groups out"):
        person_of({"sub": "1", "email": "bob", "_claim_names": {"groups": "src1"}}, SETTINGS)


@pytest.mark.parametrize("subject", ["", " 1", "1\n2", "ä", "x" * 256])
def test_a_subject_is_no_longer_than_the_standard_says_and_of_plain_letters(subject: str) -> None:
    with pytest.raises(SignInRefused, match="longer than 255 marks, or holds odd ones"):
        person_of({"sub": subject, "email": "bob"}, SETTINGS)


@given(st.dictionaries(st.sampled_from(["preferred_username", "email", "groups", "_claim_names"]), JSON))
def test_whatever_is_said_gives_a_person_or_a_sentence(claims: dict[str, Any]) -> None:
    with suppress(SignInRefused):
        person = person_of({"sub": "1", **claims}, SETTINGS)
        check_name(person.name)
        assert all(isinstance(group, str) for group in person.groups)
