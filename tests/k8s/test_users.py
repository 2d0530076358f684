"""Users of the broker in compose, the chart and kustomize: with the rules that `launchyard broker acl` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config import acl
from broker_config.acl import Role

ROOT = Path(__file__).parents[2]
USERS = (Role.AGENT, Role.FLOWER, Role.PRODUCER, Role.SERVER)


def written() -> str:
    """The file that has them, with marks where the digests of passwords go."""
    lines = (f"user {role} on #@{role}@ {acl.rules(role, 'launchyard:', [])}\n" for role in USERS)
    return "".join(lines)


@pytest.mark.parametrize("folder", ["compose", "k8s/chart", "k8s/kustomize"])
def test_the_users_of_an_installation_have_the_rules_of_their_roles(
    folder: str, request: pytest.FixtureRequest
) -> None:
    file = ROOT / folder / "users.acl"
    if request.config.getoption("--rewrite-golden"):
        file.write_text(written())
    assert file.read_text() == written(), "the rules have changed: run `make golden`, and read the diff"
