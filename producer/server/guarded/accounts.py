"""Accounts: admins keep them all, owners those of their teams, and everybody their own keys."""

from __future__ import annotations

from datetime import datetime

from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from broker_config.accounts.rights import Action, Role
from broker_config.errors import NotFound
from broker_config.queues import DEFAULT_ENTITY
from broker_config.store.audit import Deed
from producer.installation import (
    Accounts,
)
from producer.server.guarded.rights import Rights


class GuardedAccounts:
    def __init__(self, accounts: Accounts, rights: Rights) -> None:
        self._accounts = accounts
        self._rights = rights
        self._principal = rights.principal

    def users(self) -> list[User]:
        return self._accounts.users()

    def teams(self) -> list[Team]:
        return self._accounts.teams()

    def service_accounts(self) -> list[ServiceAccount]:
        return self._accounts.service_accounts()

    def api_keys(self) -> list[tuple[ApiKey, datetime | None]]:
        return [(key, used) for key, used in self._accounts.api_keys() if self._keeps_keys_of(key.principal)]

    def add_user(self, name: str, *, is_admin: bool = False) -> User:
        self._principal.expect(Action.KEEP_ACCOUNTS)
        user = self._accounts.add_user(name, is_admin=is_admin)
        self._rights.did("user.create", name, "admin" if is_admin else "")
        return user

    def set_admin(self, name: str, is_admin: bool) -> User:
        self._principal.expect(Action.KEEP_ACCOUNTS)
        user = self._accounts.set_admin(name, is_admin)
        self._rights.did("user.admin", name, "given" if is_admin else "taken")
        return user

    def link(self, name: str, subject: str) -> User:
        self._principal.expect(Action.KEEP_ACCOUNTS)
        user = self._accounts.link(name, subject)
        self._rights.did("user.link", name, f"to {subject}" if subject else "to nobody")
        return user

    def add_team(self, name: str) -> Team:
        self._principal.expect(Action.KEEP_ACCOUNTS)
        team = self._accounts.add_team(name)
        self._rights.did("team.create", name)
        return team

    def set_member(self, team: str, user: str, role: Role | None) -> Team:
        self._principal.expect(Action.KEEP_MEMBERS, team)
        changed = self._accounts.set_member(team, user, role)
        self._rights.did("team.member", team, f"{user}: {role or 'removed'}")
        return changed

    def add_service_account(self, team: str, name: str, role: Role = Role.LAUNCHER) -> ServiceAccount:
        self._principal.expect(Action.KEEP_MEMBERS, team)
        account = self._accounts.add_service_account(team, name, role)
        self._rights.did("service-account.create", account.full_name, role)
        return account

    def add_key(self, wanted: NewApiKey) -> tuple[ApiKey, str]:
        self._expect_keys_of(wanted.principal)
        if wanted.principal == self._principal.name:
            # Who shows a key that can do little shall not come by one that can do more.
            self._principal.expect_no_less_than(wanted.most, wanted.queues)
        key, text = self._accounts.add_key(wanted)
        self._rights.did("key.create", key.id, f"of {key.principal}")
        return key, text

    def revoke_key(self, key_id: str) -> ApiKey:
        of = next((key.principal for key, _ in self._accounts.api_keys() if key.id == key_id), "")
        if not self._keeps_keys_of(of):
            raise NotFound(f"key {key_id!r} does not exist, or is none of yours")
        key = self._accounts.revoke_key(key_id)
        self._rights.did("key.revoke", key_id, f"of {key.principal}")
        return key

    def audit(self, count: int = 100, before: str = "+") -> list[tuple[str, Deed]]:
        self._principal.expect(Action.KEEP_ACCOUNTS)
        return self._accounts.audit(count, before)

    def _keeps_keys_of(self, principal: str) -> bool:
        if principal == self._principal.name or self._principal.may(Action.KEEP_ACCOUNTS):
            return True
        team = principal.rpartition("/")[0]
        return bool(team) and self._principal.may(Action.KEEP_MEMBERS, team)

    def _expect_keys_of(self, principal: str) -> None:
        if not self._keeps_keys_of(principal):
            team = principal.rpartition("/")[0]
            self._principal.expect(Action.KEEP_MEMBERS if team else Action.KEEP_ACCOUNTS, team or DEFAULT_ENTITY)
