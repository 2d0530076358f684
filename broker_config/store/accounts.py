"""Accounts in the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from redis.client import Pipeline

from broker_config.accounts.api_keys import Secret, new_secret
from broker_config.accounts.people import ApiKey, NewApiKey, ServiceAccount, Team, User
from broker_config.accounts.rights import Principal, Role
from broker_config.connection import TextClient, translated
from broker_config.errors import Conflict, InvalidRequest, NotFound, did_you_mean
from broker_config.frozen import Frozen, parse
from broker_config.queues import DEFAULT_ENTITY
from broker_config.runs import now
from broker_config.store.keys import Keys
from broker_config.store.sessions import Session

USED_GRAIN_SECONDS = 60
"""How exactly the last use of a key is known."""

M = TypeVar("M", bound=Frozen)


class _StoredKey(ApiKey):
    digest: str  # SHA-256 of its secret, which is random: no slower hash would protect it better

    @property
    def told(self) -> ApiKey:
        """What of it others are told."""
        return ApiKey.model_validate(self.model_dump(exclude={"digest"}))


class AccountStore:
    """Users, teams, service accounts and API keys."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def users(self) -> list[User]:
        """All users, by name."""
        return self._all(User, self._keys.users)

    def teams(self) -> list[Team]:
        """All teams, by name."""
        return self._all(Team, self._keys.teams)

    def service_accounts(self) -> list[ServiceAccount]:
        """All service accounts, by full name."""
        return self._all(ServiceAccount, self._keys.service_accounts)

    def api_keys(self) -> list[tuple[ApiKey, datetime | None]]:
        """All keys by id, each with when it was last used."""
        with translated():
            used = dict(self._client.zscan_iter(self._keys.api_keys_used, match="*", count=1000))
        return [
            (key.told, datetime.fromtimestamp(used[key.id], UTC) if key.id in used else None)
            for key in self._all(_StoredKey, self._keys.api_keys)
        ]

    def user(self, name: str) -> User:
        """The user of that name.

        Raises:
            NotFound: when there is none.
        """
        return self._one(User, self._keys.users, name, "user")

    def team(self, name: str) -> Team:
        """The team of that name.

        Raises:
            NotFound: when there is none.
        """
        return self._one(Team, self._keys.teams, name, "team")

    def add_user(self, name: str, *, is_admin: bool = False, subject: str = "") -> User:
        """Make a user.

        Raises:
            InvalidRequest: when it cannot be a name.
            Conflict: when an entity has that name.
        """
        if name == DEFAULT_ENTITY:
            raise InvalidRequest(f"{name!r} is the entity of everybody, and no user may own it; choose another name")
        self._expect_free(name)
        user = parse(User, {"name": name, "is_admin": is_admin, "subject": subject, "created_at": now()}, "user")
        return self._add(self._keys.users, name, user)

    def add_team(self, name: str) -> Team:
        """Make a team. That of the default entity is everybody's until it has members.

        Raises:
            InvalidRequest: when it cannot be a name.
            Conflict: when an entity has that name.
        """
        self._expect_free(name)
        return self._add(self._keys.teams, name, parse(Team, {"name": name, "created_at": now()}, "team"))

    def add_service_account(self, team: str, name: str, role: Role = Role.LAUNCHER) -> ServiceAccount:
        """Make a service account.

        Raises:
            NotFound: when there is no such team.
            InvalidRequest: when it cannot be a name, or the role is not one of a team.
            Conflict: when the team has one of that name.
        """
        self.team(team)
        fields = {"team": team, "name": name, "role": _of_team(role), "created_at": now()}
        account = parse(ServiceAccount, fields, "service account")
        return self._add(self._keys.service_accounts, account.full_name, account)

    def set_member(self, team: str, user: str, role: Role | None) -> Team:
        """Give a user a role in a team, or none.

        Raises:
            NotFound: when there is no such team or user.
        """
        self.user(user)

        def change(found: Team) -> Team:
            members = {name: given for name, given in found.members.items() if name != user}
            return found.model_copy(update={"members": members | ({user: _of_team(role)} if role else {})})

        return self._change(Team, self._keys.teams, team, "team", change)

    def set_admin(self, name: str, is_admin: bool) -> User:
        """Make a user an admin of the installation, or no longer.

        Raises:
            NotFound: when there is no such user.
        """
        return self._change(
            User, self._keys.users, name, "user", lambda user: user.model_copy(update={"is_admin": is_admin})
        )

    def link(self, name: str, subject: str) -> User:
        """Have somebody whom an identity provider knows sign in as a user; with an empty subject, nobody.

        Raises:
            NotFound: when there is no such user.
            Conflict: when that one signs in as another user.
        """

        def change(user: User) -> User:
            other = self.known_as(subject)
            if other and other.name != name:
                raise Conflict(f"that one is {other.name!r}; before it: launchyard user link {other.name} --nobody")
            return parse(User, {**user.model_dump(), "subject": subject}, f"user {name!r}")

        return self._change(User, self._keys.users, name, "user", change)

    def known_as(self, subject: str) -> User | None:
        """The user whom an identity provider knows as that."""
        return next((user for user in self.users() if subject and user.subject == subject), None)

    def add_key(self, wanted: NewApiKey, created_by: str) -> tuple[ApiKey, Secret]:
        """Make a key of a user or service account; its secret is known to nobody but the caller.

        Raises:
            NotFound: when there is no such user or service account.
        """
        secret = new_secret()
        about = {"id": secret.id, "digest": secret.digest, "created_at": now(), "created_by": created_by}
        made = _StoredKey.model_validate({**wanted.model_dump(), **about})
        if self._principal(made) is None:
            raise NotFound(f"there is no user or service account {made.principal!r}")
        return self._add(self._keys.api_keys, secret.id, made).told, secret

    def revoke_key(self, key_id: str) -> ApiKey:
        """Have a key be of no use any more, at once.

        Raises:
            NotFound: when there is no such key.
        """

        def revoke(key: _StoredKey) -> _StoredKey:
            return key if key.revoked_at else key.model_copy(update={"revoked_at": now()})

        return self._change(_StoredKey, self._keys.api_keys, key_id, "key", revoke).told

    def identify(self, secret: Secret) -> Principal | None:
        """Who shows a key; None when it is nobody's, is over, or was revoked."""
        key = self._key(secret.id)
        if key is None or not secret.is_that(key.digest):
            return None
        with translated():
            moment = int(now().timestamp()) // USED_GRAIN_SECONDS * USED_GRAIN_SECONDS
            self._client.zadd(self._keys.api_keys_used, {key.id: moment})
        return self._principal(key)

    def in_session(self, session: Session) -> Principal | None:
        """Whose session it is; None when that one, or the key that began it, is gone, over or revoked."""
        if not session.key:
            return self._principal(NewApiKey(principal=session.principal))
        key = self._key(session.key)
        return self._principal(key) if key else None

    def _key(self, key_id: str) -> _StoredKey | None:
        """The key of that id, if it holds."""
        key = self._find(_StoredKey, self._keys.api_keys, key_id)
        if key is None or key.revoked_at or (key.expires_at and key.expires_at <= now()):
            return None
        return key

    def _principal(self, key: NewApiKey) -> Principal | None:
        """Whom a key stands for; None when that one is gone."""
        team, _, name = key.principal.rpartition("/")
        # Asked with every request: one account is read, and not all of them.
        if team:
            account = self._find(ServiceAccount, self._keys.service_accounts, key.principal)
            roles = {team: account.role} if account else None
            is_admin = False
        else:
            user = self._find(User, self._keys.users, name)
            roles = self._roles_of(name) if user else None
            is_admin = bool(user and user.is_admin)
        return None if roles is None else Principal(key.principal, roles, is_admin, key.most, key.queues)

    def _roles_of(self, user: str) -> dict[str, Role]:
        teams = {team.name: team.members for team in self.teams()}
        roles = {team: members[user] for team, members in teams.items() if user in members}
        # Installations that do not tell teams apart have one for everybody.
        return roles if teams.get(DEFAULT_ENTITY) else {DEFAULT_ENTITY: Role.LAUNCHER, **roles}

    def _expect_free(self, name: str) -> None:
        if name in {*(user.name for user in self.users()), *(team.name for team in self.teams())}:
            raise Conflict(f"{name!r} is the name of a user or a team; users and teams own queues under their names")

    def _all(self, kind: type[M], key: str) -> list[M]:
        with translated():
            stored = self._client.hgetall(key)
        return [kind.model_validate_json(text) for _, text in sorted(stored.items())]

    def _find(self, kind: type[M], key: str, name: str) -> M | None:
        with translated():
            stored = self._client.hget(key, name)
        return kind.model_validate_json(stored) if stored else None

    def _one(self, kind: type[M], key: str, name: str, noun: str) -> M:
        with translated():
            stored = self._client.hgetall(key)
        if name not in stored:
            raise NotFound(f"{noun} {name!r} does not exist{did_you_mean(name, stored) or '; there is none'}")
        return kind.model_validate_json(stored[name])

    def _add(self, key: str, name: str, made: M) -> M:
        with translated():
            is_new = self._client.hsetnx(key, name, made.model_dump_json())
        if not is_new:
            raise Conflict(f"{name!r} exists; choose another name")
        return made

    def _change(self, kind: type[M], key: str, name: str, noun: str, change: Callable[[M], M]) -> M:
        changed: list[M] = []

        def write(pipe: Pipeline) -> None:
            changed.append(change(self._one(kind, key, name, noun)))
            pipe.multi()
            pipe.hset(key, name, changed[-1].model_dump_json())

        with translated():
            self._client.transaction(write, key)
        return changed[-1]


def _of_team(role: Role) -> Role:
    if role is Role.ADMIN:
        raise InvalidRequest("an admin is one of the whole installation, not of a team; make the member an owner")
    return role
