"""Who may do what: the table of rights, and what keys and entities make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.accounts.rights import RIGHTS, Action, Principal, Role
from broker_config.errors import NotPermitted

ROLES = st.sampled_from(Role)
ACTIONS = st.sampled_from(Action)


@given(ROLES, ROLES, ACTIONS)
def test_a_higher_role_may_do_whatever_a_lower_one_may(one: Role, other: Role, action: Action) -> None:
    lower, higher = sorted((one, other), key=lambda role: role.rank)
    assert action not in RIGHTS[lower] or action in RIGHTS[higher]


@given(ROLES.filter(lambda role: role is not Role.ADMIN), ROLES, ACTIONS)
def test_a_role_holds_in_its_team_alone_and_a_key_never_adds_to_it(role: Role, most: Role, action: Action) -> None:
    alice = Principal("alice", {"team-a": role}, most=most)
    assert alice.may(action, "team-a") == (action in RIGHTS[role] & RIGHTS[most])
    assert not alice.may(action, "team-b")


@given(ROLES, ACTIONS)
def test_what_is_ones_own_is_kept_by_oneself(most: Role, action: Action) -> None:
    alice = Principal("alice", most=most)
    assert alice.may(action, "alice") == (action in RIGHTS[Role.OWNER] & RIGHTS[most])


@given(ROLES, ACTIONS, st.sampled_from(["team-a", "alice", "default"]))
def test_an_admin_may_do_what_the_key_lets_an_admin(most: Role, action: Action, entity: str) -> None:
    assert Principal("root", is_admin=True, most=most).may(action, entity) == (action in RIGHTS[most])


@given(ACTIONS)
def test_a_key_for_one_queue_is_of_no_use_for_anything_else(action: Action) -> None:
    key = Principal("root", is_admin=True, queues=("team-a/gpu",))
    assert key.may(action, "team-a", "team-a/gpu")
    assert not key.may(action, "team-a", "team-a/cpu")
    assert not key.may(action, "team-a")


def test_whoever_lacks_a_right_is_told_which_role_has_it_and_who_gives_it() -> None:
    viewer = Principal("alice", {"team-a": Role.VIEWER})
    with pytest.raises(
        NotPermitted, match=r"'alice' may not launch of 'team-a'.* role launcher; ask an owner of 'team-a'"
    ):
        viewer.expect(Action.LAUNCH, "team-a")
    with pytest.raises(NotPermitted, match="ask an admin"):
        viewer.expect(Action.KEEP_AGENTS)
    limited = Principal("alice", {"team-a": Role.OWNER}, most=Role.VIEWER)
    with pytest.raises(NotPermitted, match="this key of 'alice' is for viewers at most"):
        limited.expect(Action.LAUNCH, "team-a")


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"most": Role.VIEWER}, (Role.LAUNCHER, ())),
        ({"queues": ("a",)}, (Role.VIEWER, ())),
        ({"queues": ("a",)}, (Role.VIEWER, ("a", "b"))),
    ],
)
def test_a_limited_key_makes_none_that_is_less_limited(
    limits: dict[str, object], wanted: tuple[Role, tuple[str, ...]]
) -> None:
    with pytest.raises(NotPermitted, match="less so"):
        Principal("alice", **limits).expect_no_less_than(*wanted)  # type: ignore[arg-type]
    Principal("alice", **limits).expect_no_less_than(Role.VIEWER, ("a",))  # type: ignore[arg-type]
