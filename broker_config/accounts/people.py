"""People, teams and service accounts, as they are stored."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from broker_config.accounts.rights import Role
from broker_config.frozen import Frozen
from broker_config.queues import FullName, Name

_SUBJECT = re.compile(r"https?://\S+ \S.*")


def check_subject(text: str) -> str:
    """A subject or nothing."""
    if text and not _SUBJECT.fullmatch(text):
        raise ValueError("write the issuer's URL, a space and the subject, as a refused sign-in tells them")
    return text


Subject = Annotated[str, Field(max_length=2000), AfterValidator(check_subject)]
"""Somebody, as an identity provider knows that one: its issuer, a space, and its name of a subject. Empty: nobody."""


class User(Frozen):
    """Somebody, and the owner of personal queues: an entity of that name."""

    name: Name
    is_admin: bool = False
    created_at: datetime
    subject: Subject = ""  # who signs in as that one


class Team(Frozen):
    """An entity of several."""

    name: Name
    members: dict[Name, Role] = Field(default_factory=dict)  # users, without admins of the installation
    created_at: datetime


class ServiceAccount(Frozen):
    """A program of a team. Its full name, such as `team-a/nightly`, is the author of what it launches."""

    team: Name
    name: Name
    role: Role = Role.LAUNCHER
    created_at: datetime

    @property
    def full_name(self) -> str:
        return f"{self.team}/{self.name}"


class NewApiKey(Frozen):
    """What is wanted of a key."""

    principal: FullName  # a user, or a service account
    most: Role = Role.ADMIN  # whoever shows it may do what the principal may, and no more than this role
    queues: tuple[FullName, ...] = ()  # to which it is limited; empty: to none
    note: str = Field(default="", max_length=200)
    expires_at: AwareDatetime | None = None


class ApiKey(NewApiKey):
    """What is known of a key; the key itself is nowhere."""

    id: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
