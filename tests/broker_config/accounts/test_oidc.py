"""What is said of an identity provider, and what its groups give."""

from __future__ import annotations

import pytest

from broker_config.accounts.oidc import Grants, grants, read_group_rules
from broker_config.accounts.rights import Role
from broker_config.errors import ConfigError
from broker_config.settings import load_settings

RULES = read_group_rules("ml=vision:launcher; leads=vision:owner; CN=ops,OU=all=admin;")


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], Grants({"vision": None}, False)),
        (["ml"], Grants({"vision": Role.LAUNCHER}, False)),
        (["ml", "leads"], Grants({"vision": Role.OWNER}, False)),
        (["leads", "ml", "CN=ops,OU=all"], Grants({"vision": Role.OWNER}, True)),
        (["ML", "ops", "vision", "admin"], Grants({"vision": None}, False)),
    ],
)
def test_groups_give_the_greatest_of_their_roles_and_nothing_by_chance(groups: list[str], expected: Grants) -> None:
    assert grants(RULES, groups) == expected


def test_who_is_an_admin_is_left_alone_where_no_rule_names_admins() -> None:
    assert grants(read_group_rules("ml=vision:viewer"), ["ml"]) == Grants({"vision": Role.VIEWER}, None)
    assert grants((), ["ml"]) == Grants({}, None)


@pytest.mark.parametrize(
    "rule", ["ml", "ml=vision", "ml=vision:boss", "ml=vision:admin", "=vision:owner", "ml=a b:owner"]
)
def test_a_rule_of_another_form_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError, match=r"oidc_groups: .*(write GROUP=TEAM:ROLE|cannot be a name)"):
        load_settings({"LAUNCHYARD_OIDC_GROUPS": f"ops=admin; {rule}"})


def test_an_issuer_is_reached_by_tls_but_on_this_machine() -> None:
    for issuer in ("https://id.example.com", "https://id.example.com:8443/realms/one/", "http://localhost:8080"):
        read = load_settings({"LAUNCHYARD_OIDC_ISSUER": issuer, "LAUNCHYARD_OIDC_CLIENT_ID": "launchyard"})
        assert read.oidc_issuer == issuer
    for issuer in ("http://id.example.com", "id.example.com", "https://", "https://a.b?x=1", "https://u:p@a.b"):
        with pytest.raises(ConfigError, match="an issuer is https://HOST"):
            load_settings({"LAUNCHYARD_OIDC_ISSUER": issuer, "LAUNCHYARD_OIDC_CLIENT_ID": "launchyard"})


def test_an_issuer_without_a_client_and_scopes_without_openid_are_refused() -> None:
    with pytest.raises(ConfigError, match="oidc_issuer needs oidc_client_id"):
        load_settings({"LAUNCHYARD_OIDC_ISSUER": "https://id.example.com"})
    with pytest.raises(ConfigError, match="oidc_scopes"):
        load_settings({"LAUNCHYARD_OIDC_SCOPES": "profile email"})


def test_the_secret_is_in_no_text_of_the_settings() -> None:
    assert "hunter2" not in repr(load_settings({"LAUNCHYARD_OIDC_CLIENT_SECRET": "hunter2"}))
