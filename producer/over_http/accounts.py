"""Accounts, asked for over HTTP."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from broker_config.accounts.rights import Role
from broker_config.frozen import parse
from broker_config.store.audit import Deed
from producer.over_http.connection import Connection
from producer.wire import (
    API,
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


class AccountsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def users(self) -> list[User]:
        return [*self._all(Page[User], f"{API}/users")]

    def teams(self) -> list[Team]:
        return [*self._all(Page[Team], f"{API}/teams")]

    def service_accounts(self) -> list[ServiceAccount]:
        return [*self._all(Page[ServiceAccount], f"{API}/service-accounts")]

    def api_keys(self) -> list[tuple[ApiKey, datetime | None]]:
        return [(seen.key, seen.used_at) for seen in self._all(Page[KeySeen], f"{API}/keys")]

    def add_user(self, name: str, *, is_admin: bool = False) -> User:
        return self._ask(User, "POST", f"{API}/users", parse(NewUser, {"name": name, "is_admin": is_admin}, "user"))

    def set_admin(self, name: str, is_admin: bool) -> User:
        return self._ask(User, "PUT", f"{API}/users/{quote(name)}/admin", AdminWanted(is_admin=is_admin))

    def link(self, name: str, subject: str) -> User:
        known = parse(SubjectKnown, {"subject": subject}, f"user {name!r}")
        return self._ask(User, "PUT", f"{API}/users/{quote(name)}/subject", known)

    def add_team(self, name: str) -> Team:
        return self._ask(Team, "POST", f"{API}/teams", parse(NewTeam, {"name": name}, "team"))

    def set_member(self, team: str, user: str, role: Role | None) -> Team:
        path = f"{API}/teams/{quote(team)}/members/{quote(user)}"
        return self._ask(Team, "PUT", path, Membership(role=role))

    def add_service_account(self, team: str, name: str, role: Role = Role.LAUNCHER) -> ServiceAccount:
        account = parse(NewServiceAccount, {"name": name, "role": role}, "service account")
        return self._ask(ServiceAccount, "POST", f"{API}/teams/{quote(team)}/service-accounts", account)

    def add_key(self, wanted: NewApiKey) -> tuple[ApiKey, str]:
        made = self._ask(KeyMade, "POST", f"{API}/keys", wanted)
        return made.key, made.text

    def revoke_key(self, key_id: str) -> ApiKey:
        return self._ask(ApiKey, "POST", f"{API}/keys/{quote(key_id)}/revoke")

    def audit(self, count: int = 100, before: str = "+") -> list[tuple[str, Deed]]:
        cursor = "" if before == "+" else before
        found = self._ask(Page[DeedSeen], "GET", f"{API}/audit", cursor=cursor, limit=count)
        return [(seen.position, seen.deed) for seen in found.items]
