"""What is said of an identity provider, by which people sign in at the page: settings, and what its groups give.

Source of the terms: "OpenID Connect Core 1.0" and "OpenID Connect Discovery 1.0".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from broker_config.accounts.rights import Role
from broker_config.frozen import Frozen
from broker_config.queues import check_name

ADMIN = "admin"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Person(NamedTuple):
    """Somebody, as an identity provider describes that one."""

    subject: str  # the issuer and what it calls that one, which is never said of anybody else
    name: str  # which somebody else may have too
    groups: frozenset[str] = frozenset()


class GroupRule(NamedTuple):
    """What a group of the provider's gives its members: a role in a team, or all rights."""

    group: str
    team: str  # empty: it makes admins
    role: Role


class Grants(NamedTuple):
    """What somebody's groups give; the provider alone decides of whatever is named here."""

    roles: Mapping[str, Role | None]  # by team; None: no part in it
    is_admin: bool | None  # None: no group makes admins, so they are made here


def read_group_rules(text: str) -> tuple[GroupRule, ...]:
    """Rules of the form `GROUP=TEAM:ROLE; GROUP=admin`. A group may hold any mark but a semicolon.

    Raises:
        ValueError: when one has another form.
    """
    return tuple(_read(rule.strip()) for rule in text.split(";") if rule.strip())


def grants(rules: Collection[GroupRule], groups: Collection[str]) -> Grants:
    """What the groups of somebody give; of several roles in a team the greatest."""
    given = [rule for rule in rules if rule.group in groups]
    roles: dict[str, Role | None] = {rule.team: None for rule in rules if rule.team}
    for rule in sorted(given, key=lambda one: one.role.rank):
        if rule.team:
            roles[rule.team] = rule.role
    is_named = any(not rule.team for rule in rules)
    return Grants(roles, any(not rule.team for rule in given) if is_named else None)


class OidcSettings(Frozen):
    """The settings of it; each is described at `broker_config.settings.Settings`, of which they are a part."""

    oidc_issuer: str | None = None
    """The provider's issuer, as itself says it: `https://id.example.com/realms/one`. None: keys alone."""

    oidc_client_id: str | None = Field(default=None, min_length=1)
    """What the provider calls this installation."""

    oidc_client_secret: str | None = Field(default=None, min_length=1, repr=False)
    """How this installation proves that. None: it is a public client, and PKCE alone keeps a sign-in from others."""

    oidc_scopes: str = Field(default="openid profile email", pattern=r"^(.* )?openid( .*)?$")
    """What is asked for; a provider may want a further word before it tells groups."""

    oidc_name_claim: str = Field(default="preferred_username", min_length=1)
    """What names somebody who comes for the first time. Where it is missing: the part of `email` before the `@`."""

    oidc_groups_claim: str = Field(default="groups", min_length=1)
    """What lists somebody's groups."""

    oidc_groups: str | None = None
    """`GROUP=TEAM:ROLE; GROUP=admin`: what groups give, at each sign-in anew. None: roles are given here alone."""

    oidc_creates_users: bool = True
    """Whether somebody whom nobody made an account for gets one."""

    @field_validator("oidc_issuer")
    @classmethod
    def _is_an_issuer(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if not (is_safe and parts.hostname) or parts.query or parts.fragment or parts.username or " " in url:
            raise ValueError("an issuer is https://HOST or https://HOST/PATH, without a question mark or a fragment")
        return url

    @field_validator("oidc_groups")
    @classmethod
    def _are_rules(cls, text: str | None) -> str | None:
        read_group_rules(text or "")
        return text or None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id: what the provider calls this installation")
        return self

    @property
    def group_rules(self) -> tuple[GroupRule, ...]:
        """What groups give."""
        return read_group_rules(self.oidc_groups or "")


def _read(rule: str) -> GroupRule:
    group, _, given = (part.strip() for part in rule.rpartition("="))
    team, _, role = given.rpartition(":")
    if group and given == ADMIN:
        return GroupRule(group, "", Role.ADMIN)
    of_teams = [one.value for one in Role if one is not Role.ADMIN]
    if not group or not team or role not in of_teams:
        raise ValueError(
            f"{rule!r} is no rule; write GROUP=TEAM:ROLE with a role of {', '.join(of_teams)}, or GROUP=admin"
        )
    return GroupRule(group, check_name(team), Role(role))
