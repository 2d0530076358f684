"""What each role may do: one table, for the server, the page and the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from broker_config.errors import NotPermitted
from broker_config.queues import DEFAULT_ENTITY


class Role(StrEnum):
    """What somebody is in a team, the least first. An admin is one of the whole installation."""

    VIEWER = "viewer"
    LAUNCHER = "launcher"
    OWNER = "owner"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Action(StrEnum):
    """What a right is for. Each is for one entity, but for the last, which are for the installation."""

    SEE = "see"  # queues, runs, logs and named jobs
    LAUNCH = "launch"  # also new versions of named jobs
    CANCEL_OWN = "cancel own runs"
    CANCEL = "cancel any run"
    PRIORITIZE_OWN = "prioritize own runs"
    PRIORITIZE = "prioritize any run"
    KEEP_QUEUES = "keep queues"  # create, edit, pause, drain and delete
    KEEP_MEMBERS = "keep members"  # and service accounts, with their keys
    KEEP_AGENTS = "keep agents"  # pause and drain; remove orphans, images and code
    KEEP_ACCOUNTS = "keep accounts"  # users, teams, and everybody's keys; read the audit trail


_VIEWER = frozenset({Action.SEE})
_LAUNCHER = _VIEWER | {Action.LAUNCH, Action.CANCEL_OWN, Action.PRIORITIZE_OWN}
_OWNER = _LAUNCHER | {Action.CANCEL, Action.PRIORITIZE, Action.KEEP_QUEUES, Action.KEEP_MEMBERS}

RIGHTS: Mapping[Role, frozenset[Action]] = {
    Role.VIEWER: _VIEWER,
    Role.LAUNCHER: _LAUNCHER,
    Role.OWNER: _OWNER,
    Role.ADMIN: frozenset(Action),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who is known, and what that one may do: never more than the key that was shown."""

    name: str
    roles: Mapping[str, Role] = field(default_factory=dict)  # by team; those of everybody are among them
    is_admin: bool = False
    most: Role = Role.ADMIN  # of the key
    queues: tuple[str, ...] = ()  # full names to which the key is limited; empty: to none

    def role_in(self, entity: str) -> Role | None:
        """What that one is in an entity; None: nobody."""
        own = Role.OWNER if entity == self.name else self.roles.get(entity)
        role = Role.ADMIN if self.is_admin else own
        return min(role, self.most, key=lambda one: one.rank) if role else None

    def may(self, action: Action, entity: str = DEFAULT_ENTITY, queue: str | None = None) -> bool:
        """Whether that one may do something with what an entity owns; with a queue, when it is about one."""
        if self.queues and queue not in self.queues:
            return False
        role = self.role_in(entity)
        return role is not None and action in RIGHTS[role]

    def expect_no_less_than(self, most: Role, queues: Sequence[str]) -> None:
        """Go on only where a key of these limits can do no more than the one that was shown.

        Raises:
            NotPermitted: when it could.
        """
        fits = not self.queues or (bool(queues) and set(queues) <= set(self.queues))
        if not fits or most.rank > self.most.rank:
            raise NotPermitted(f"this key of {self.name!r} is limited, and the wanted one is less so; limit it too")

    def expect(self, action: Action, entity: str = DEFAULT_ENTITY, queue: str | None = None) -> None:
        """Go on only with a right.

        Raises:
            NotPermitted: when that one lacks it; the error says who gives it.
        """
        if self.may(action, entity, queue):
            return
        if self.queues and queue not in self.queues:
            queues = ", ".join(self.queues)
            raise NotPermitted(f"this key of {self.name!r} is for the queues {queues} alone; use another one")
        needed = next(role for role in Role if action in RIGHTS[role])
        if self.most.rank < needed.rank:
            raise NotPermitted(f"this key of {self.name!r} is for {self.most}s at most, and to {action} takes {needed}")
        whom = "an admin" if needed is Role.ADMIN else f"an owner of {entity!r}"
        raise NotPermitted(f"{self.name!r} may not {action} of {entity!r}: that takes the role {needed}; ask {whom}")
