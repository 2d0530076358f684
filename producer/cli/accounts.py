"""`launchyard user`, `team`, `service-account`, `key` and `audit`: who may do what, and who did."""

from __future__ import annotations

from datetime import timedelta

import click

from broker_config.accounts.people import ApiKey, NewApiKey
from broker_config.accounts.rights import Role
from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.runs import now
from producer import readable
from producer.cli import output
from producer.cli.amounts import Age
from producer.cli.session import Session, json_option, pass_session

# As texts: of an enum, click offers the names.
_ROLES = [*map(str, Role)]
_OF_TEAM = click.Choice([role for role in _ROLES if role != Role.ADMIN])


@click.group("user")
def user() -> None:
    """See and make users."""


@user.command("list")
@json_option
@pass_session
def list_users(session: Session) -> None:
    """List the users."""
    found = session.client.accounts.users()
    if session.as_json:
        output.document({"users": [one.model_dump(mode="json") for one in found]})
        return
    rows = [(one.name, "admin" if one.is_admin else "", f"{readable.age(one.created_at)} ago") for one in found]
    output.table(("NAME", "ADMIN", "MADE"), rows, empty="There is no user yet.")
    output.next_command("launchyard key create NAME" if found else "launchyard user create NAME --admin")


@user.command("create")
@click.argument("name")
@click.option("--admin", is_flag=True, help="One who may do everything in this installation.")
@json_option
@pass_session
def create_user(session: Session, name: str, admin: bool) -> None:
    """Make a user. NAME is also an entity: the owner of the user's personal queues."""
    made = session.client.accounts.add_user(name, is_admin=admin)
    _tell(session, made.model_dump(mode="json"), f"user {name} is made", f"launchyard key create {name}")


@user.command()
@click.argument("name")
@click.option("--take", is_flag=True, help="Take it away again.")
@json_option
@pass_session
def admin(session: Session, name: str, take: bool) -> None:
    """Make a user an admin."""
    changed = session.client.accounts.set_admin(name, not take)
    said = f"user {name} is {'no longer ' if take else ''}an admin"
    _tell(session, changed.model_dump(mode="json"), said, "launchyard user list")


@user.command("link")
@click.argument("name")
@click.option("--subject", help="As the identity provider knows that one; a refused sign-in tells it.")
@click.option("--nobody", is_flag=True, help="Have nobody sign in as that user any more.")
@json_option
@pass_session
def link_user(session: Session, name: str, subject: str | None, nobody: bool) -> None:
    """Have somebody whom the identity provider knows sign in as the user NAME."""
    if bool(subject) == nobody:
        raise InvalidRequest("say who signs in as that user: --subject 'ISSUER SUBJECT', or --nobody")
    linked = session.client.accounts.link(name, subject or "")
    said = f"{linked.subject or 'nobody'} signs in as {name}"
    _tell(session, linked.model_dump(mode="json"), said, "launchyard user list --json")


@click.group("team")
def team() -> None:
    """See and make teams, and say who is in them."""


@team.command("list")
@json_option
@pass_session
def list_teams(session: Session) -> None:
    """List the teams with their members."""
    found = session.client.accounts.teams()
    if session.as_json:
        output.document({"teams": [one.model_dump(mode="json") for one in found]})
        return
    rows = [(one.name, ", ".join(f"{name} ({role})" for name, role in sorted(one.members.items()))) for one in found]
    output.table(("NAME", "MEMBERS"), rows, empty="There is no team yet.")
    output.next_command("launchyard team add TEAM USER --role launcher" if found else "launchyard team create NAME")


@team.command("create")
@click.argument("name")
@json_option
@pass_session
def create_team(session: Session, name: str) -> None:
    """Make a team: an entity that owns queues."""
    made = session.client.accounts.add_team(name)
    _tell(
        session, made.model_dump(mode="json"), f"team {name} is made", f"launchyard team add {name} USER --role owner"
    )


@team.command()
@click.argument("name")
@click.argument("user")
@click.option("--role", type=_OF_TEAM, default=Role.LAUNCHER.value, show_default=True, help="What the user is in it.")
@json_option
@pass_session
def add(session: Session, name: str, user: str, role: str) -> None:
    """Give a user a role in a team; one who has a role gets this one instead."""
    changed = session.client.accounts.set_member(name, user, Role(role))
    _tell(session, changed.model_dump(mode="json"), f"{user} is {role} in team {name}", "launchyard team list")


@team.command()
@click.argument("name")
@click.argument("user")
@json_option
@pass_session
def remove(session: Session, name: str, user: str) -> None:
    """Take a user out of a team."""
    changed = session.client.accounts.set_member(name, user, None)
    _tell(session, changed.model_dump(mode="json"), f"{user} is in team {name} no longer", "launchyard team list")


@click.group("service-account")
def service_account() -> None:
    """See and make accounts of programs, such as pipelines."""


@service_account.command("list")
@json_option
@pass_session
def list_service_accounts(session: Session) -> None:
    """List the service accounts."""
    found = session.client.accounts.service_accounts()
    if session.as_json:
        output.document({"service_accounts": [one.model_dump(mode="json") for one in found]})
        return
    rows = [(one.full_name, one.role, f"{readable.age(one.created_at)} ago") for one in found]
    output.table(("NAME", "ROLE", "MADE"), rows, empty="There is no service account yet.")
    output.next_command("launchyard service-account create TEAM/NAME")


@service_account.command("create")
@click.argument("name")
@click.option("--role", type=_OF_TEAM, default=Role.LAUNCHER.value, show_default=True, help="What it is in its team.")
@json_option
@pass_session
def create_service_account(session: Session, name: str, role: str) -> None:
    """Make a service account. NAME has its team before it: `team-a/nightly`."""
    of, _, own = name.partition("/")
    if not own:
        raise InvalidRequest(f"{name!r} says no team; write TEAM/{name}")
    made = session.client.accounts.add_service_account(of, own, Role(role))
    said = f"service account {made.full_name} is made"
    _tell(session, made.model_dump(mode="json"), said, f"launchyard key create {made.full_name}")


@click.group("key")
def key() -> None:
    """See, make and revoke API keys."""


@key.command("list")
@json_option
@pass_session
def list_keys(session: Session) -> None:
    """List API keys; none of them is shown itself."""
    found = session.client.accounts.api_keys()
    if session.as_json:
        listed = [{**one.model_dump(mode="json"), "used_at": used} for one, used in found]
        output.document({"keys": listed})
        return
    output.table(
        ("ID", "OF", "AT MOST", "QUEUES", "STATE", "USED", "NOTE"),
        [
            (
                one.id,
                one.principal,
                one.most,
                ",".join(one.queues),
                _state(one),
                f"{readable.age(used)} ago" if used else "never",
                one.note,
            )
            for one, used in found
        ],
        empty="There is no key yet.",
    )
    output.next_command("launchyard key revoke ID" if found else "launchyard key create NAME")


@key.command("create")
@click.argument("principal")
@click.option(
    "--most", type=click.Choice(_ROLES), default=Role.ADMIN.value, show_default=True, help="It can do no more."
)
@click.option("--queue", "-q", "queues", multiple=True, help="A queue that it is limited to; may be repeated.")
@click.option("--expires", "expires_at", type=Age(), help="After so long it is of no use, such as 90d.")
@click.option("--note", default="", help="What it is for.")
@json_option
@pass_session
def create_key(session: Session, /, expires_at: timedelta | None, **wanted: object) -> None:
    """Make an API key of a user or service account, PRINCIPAL. It is shown now, and never again."""
    until = now() + expires_at if expires_at else None
    made, text = session.client.accounts.add_key(parse(NewApiKey, {**wanted, "expires_at": until}, "key"))
    if session.as_json:
        output.document({**made.model_dump(mode="json"), "key": text})
        return
    click.echo(text)
    output.note("it is shown this once; whoever has it can do what its limits allow")
    output.next_command("export LAUNCHYARD_SERVER_URL=https://... LAUNCHYARD_API_KEY=...", "launchyard runs")


@key.command()
@click.argument("key_id")
@json_option
@pass_session
def revoke(session: Session, key_id: str) -> None:
    """Have a key be of no use any more, at once. KEY_ID is in the list, and between its first two underscores."""
    revoked = session.client.accounts.revoke_key(key_id)
    said = f"key {key_id} of {revoked.principal} is revoked"
    _tell(session, revoked.model_dump(mode="json"), said, "launchyard key list")


@click.command()
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@json_option
@pass_session
def audit(session: Session, limit: int) -> None:
    """Show what was changed through the server, by whom and with which key, newest first."""
    found = [deed for _, deed in session.client.accounts.audit(limit)]
    if session.as_json:
        output.document({"deeds": [deed.model_dump(mode="json") for deed in found]})
        return
    rows = [
        (output.clock(deed.at), who.name, who.key, who.address, deed.action, deed.subject, deed.details)
        for deed in found
        for who in [deed.asker]
    ]
    headers = ("WHEN", "WHO", "KEY", "FROM", "DID", "WHAT", "DETAILS")
    output.table(headers, rows, empty="Nothing was changed through the server yet.")


def _state(one: ApiKey) -> str:
    if one.revoked_at:
        return f"revoked {readable.age(one.revoked_at)} ago"
    if one.expires_at is None:
        return "holds"
    return "expired" if one.expires_at <= now() else f"{readable.age(now(), one.expires_at)} left"


def _tell(session: Session, document: dict[str, object], said: str, then: str) -> None:
    if session.as_json:
        output.document(document)
        return
    click.echo(said)
    output.next_command(then)
