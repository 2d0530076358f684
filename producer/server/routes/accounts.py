"""Users, teams, service accounts, API keys and the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from producer.server.asking import Asked
from producer.server.paging import Limit, Wanted
from producer.wire import (
    AdminWanted,
    DeedSeen,
    KeyMade,
    KeySeen,
    Membership,
    NewServiceAccount,
    NewTeam,
    NewUser,
    Page,
    SubjectKnown,
)

router = APIRouter(tags=["accounts"])

DeedCursor = Annotated[str, Query(pattern=r"^$|^[1-9]\d{0,14}-\d{1,15}$", description="That of the answer before.")]


@router.get("/users")
def list_users(asked: Asked, part: Wanted) -> Page[User]:
    """The users, by name."""
    return part.of(asked.accounts.users(), lambda user: user.name)


@router.post("/users", status_code=201)
def create_user(asked: Asked, user: NewUser) -> User:
    """Make a user."""
    return asked.accounts.add_user(user.name, is_admin=user.is_admin)


@router.put("/users/{name}/admin")
def set_admin(asked: Asked, name: str, wanted: AdminWanted) -> User:
    """Make a user an admin of the installation, or no longer."""
    return asked.accounts.set_admin(name, wanted.is_admin)


@router.put("/users/{name}/subject")
def link_user(asked: Asked, name: str, known: SubjectKnown) -> User:
    """Have a user be the one whom an identity provider knows, as that one signs in with it."""
    return asked.accounts.link(name, known.subject)


@router.get("/teams")
def list_teams(asked: Asked, part: Wanted) -> Page[Team]:
    """The teams, by name."""
    return part.of(asked.accounts.teams(), lambda team: team.name)


@router.post("/teams", status_code=201)
def create_team(asked: Asked, team: NewTeam) -> Team:
    """Make a team."""
    return asked.accounts.add_team(team.name)


@router.put("/teams/{team}/members/{user}")
def set_member(asked: Asked, team: str, user: str, membership: Membership) -> Team:
    """Give a user a role in a team, or none."""
    return asked.accounts.set_member(team, user, membership.role)


@router.get("/service-accounts")
def list_service_accounts(asked: Asked, part: Wanted) -> Page[ServiceAccount]:
    """The service accounts, by full name."""
    return part.of(asked.accounts.service_accounts(), lambda account: account.full_name)


@router.post("/teams/{team}/service-accounts", status_code=201)
def create_service_account(asked: Asked, team: str, account: NewServiceAccount) -> ServiceAccount:
    """Make a service account of a team."""
    return asked.accounts.add_service_account(team, account.name, account.role)


@router.get("/keys")
def list_keys(asked: Asked, part: Wanted) -> Page[KeySeen]:
    """The API keys that you may see, by id: yours, and those of programs of teams that you own."""
    found = [KeySeen(key=key, used_at=used_at) for key, used_at in asked.accounts.api_keys()]
    return part.of(found, lambda seen: seen.key.id)


@router.post("/keys", status_code=201)
def create_key(asked: Asked, wanted: NewApiKey) -> KeyMade:
    """Make an API key. Its text is in this answer, and nowhere else."""
    key, text = asked.accounts.add_key(wanted)
    return KeyMade(key=key, text=text)


@router.post("/keys/{key_id}/revoke")
def revoke_key(asked: Asked, key_id: str) -> ApiKey:
    """Have an API key be of no use any more, at once."""
    return asked.accounts.revoke_key(key_id)


@router.get("/audit")
def list_deeds(
    asked: Asked,
    cursor: Annotated[
        str, Query(pattern=r"^$|^[1-9]\d{0,14}-\d{1,15}$", description="That of the answer before.")
    ] = "",
    limit: Limit = 100,
) -> Page[DeedSeen]:
    """What was changed, by whom and with which key, newest first."""
    found = [DeedSeen(position=position, deed=deed) for position, deed in asked.accounts.audit(limit, cursor or "+")]
    return Page(items=found, cursor=found[-1].position if len(found) == limit else None)
