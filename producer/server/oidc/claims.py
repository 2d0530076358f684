"""Who somebody is, by what the identity provider says of that one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from broker_config.accounts.oidc import OidcSettings, Person
from producer.server.oidc.refused import SignInRefused

_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_SUBJECT = re.compile(r"[!-~][ -~]{0,254}")  # OpenID Connect Core 1.0, section 2
_MARKS = "._-"
_LONGEST = 64


def is_all(claims: Mapping[str, Any], settings: OidcSettings) -> bool:
    """Whether an ID token says everything that is wanted; many providers tell the rest at their `userinfo`."""
    has_groups = settings.oidc_groups_claim in claims or not settings.group_rules
    return has_groups and settings.oidc_name_claim in claims


def together(claims: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What an ID token and `userinfo` say of one and the same; the token's word comes first.

    Raises:
        SignInRefused: when they are of two.
    """
    # OpenID Connect Core 1.0, section 5.3.2: what is said of another one must not be used.
    if more.get("sub") != claims["sub"]:
        raise SignInRefused("the identity provider's token and its userinfo are not of the same person; sign in again")
    return {**more, **claims}


def person_of(claims: Mapping[str, Any], settings: OidcSettings) -> Person:
    """The person that claims describe.

    Raises:
        SignInRefused: when they name nobody, or leave the groups out.
    """
    elsewhere = claims.get("_claim_names")  # OpenID Connect Core 1.0, section 5.6.2
    if settings.group_rules and isinstance(elsewhere, dict) and settings.oidc_groups_claim in elsewhere:
        raise SignInRefused(
            "the identity provider left your groups out, as it does when somebody has too many; "
            "have it tell those of this application alone"
        )
    name = _as_name(claims.get(settings.oidc_name_claim)) or _as_name(claims.get("email"))
    if not name:
        raise SignInRefused(
            f"the identity provider tells neither {settings.oidc_name_claim!r} nor an email; "
            "an admin sets LAUNCHYARD_OIDC_NAME_CLAIM to what names people, or LAUNCHYARD_OIDC_SCOPES so that it tells"
        )
    if not _SUBJECT.fullmatch(claims["sub"]):
        raise SignInRefused(
            "the identity provider's subject is longer than 255 marks, or holds odd ones; ask whoever keeps it"
        )
    return Person(f"{settings.oidc_issuer} {claims['sub']}", name, _as_groups(claims.get(settings.oidc_groups_claim)))


def _as_groups(claim: Any) -> frozenset[str]:
    told = claim if isinstance(claim, list) else [claim]
    return frozenset(one for one in told if isinstance(one, str))


def _as_name(claim: Any) -> str:
    """A claim as the name of a user; of an address the part before the `@`. Empty: it names nobody."""
    if not isinstance(claim, str):
        return ""
    return _NO_NAME.sub("-", claim.partition("@")[0].strip())[:_LONGEST].strip(_MARKS)
