"""From a person whom the provider knows to a user of ours: the account, and what the provider's groups give it."""

from __future__ import annotations

import shlex

from broker_config.accounts.oidc import OidcSettings, Person, grants
from broker_config.accounts.people import User
from broker_config.accounts.rights import Role
from broker_config.errors import Conflict, NotPermitted
from broker_config.queues import DEFAULT_ENTITY
from broker_config.store import Store
from broker_config.store.audit import Asker


def arrive(store: Store, settings: OidcSettings, person: Person, address: str) -> User:
    """The user that a person is; roles are as the person's groups give them now.

    Raises:
        NotPermitted: when that one has no account, and gets none.
        Conflict: when the account that would be made is, or could be taken for, that of somebody else.
    """
    user = store.accounts.known_as(person.subject) or _new(store, settings, person, address)
    asker = Asker(name=user.name, address=address)
    given = grants(settings.group_rules, person.groups)
    if given.is_admin is not None and given.is_admin != user.is_admin:
        user = store.accounts.set_admin(user.name, given.is_admin)
        store.audit.add(asker, "user.admin", user.name, f"{'given' if user.is_admin else 'taken'} by groups")
    members = {team.name: team.members for team in store.accounts.teams()}
    for team, role in given.roles.items():
        if members.get(team, {}).get(user.name) != role:
            _set_role(store, asker, team, role, is_new=team not in members)
    return user


def _set_role(store: Store, asker: Asker, team: str, role: Role | None, *, is_new: bool) -> None:
    if is_new:
        store.accounts.add_team(team)
        store.audit.add(asker, "team.create", team, "by groups")
    store.accounts.set_member(team, asker.name, role)
    store.audit.add(asker, "team.member", team, f"{asker.name}: {role or 'removed'} by groups")


def _new(store: Store, settings: OidcSettings, person: Person, address: str) -> User:
    link = f"launchyard user link NAME --subject {shlex.quote(person.subject)}"
    if not settings.oidc_creates_users:
        raise NotPermitted(
            f"nobody made an account for you; ask an admin for: launchyard user create {person.name}, and {link}"
        )
    if person.name.casefold() in _taken(store, settings):
        raise Conflict(
            f"there is a user, a team or an owner of queues {person.name!r}, and nothing says that it is you; "
            f"an admin who knows that links you to a user: {link}"
        )
    user = store.accounts.add_user(person.name, subject=person.subject)
    store.audit.add(Asker(name=user.name, address=address), "user.create", user.name, f"as {person.subject}")
    return user


def _taken(store: Store, settings: OidcSettings) -> set[str]:
    """Names that nobody may come by alone: each is an entity, or will be one, and looks like no other."""
    owners = {record.queue.entity for record in store.queues.list()}
    named = {rule.team for rule in settings.group_rules}
    accounts = {*(user.name for user in store.accounts.users()), *(team.name for team in store.accounts.teams())}
    return {name.casefold() for name in {DEFAULT_ENTITY, *owners, *named, *accounts}}
