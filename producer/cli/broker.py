"""`launchyard broker`: the embedded broker."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TextIO

import click

from broker_config import acl
from broker_config.connection import broker_url, database
from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerUnavailable, InvalidRequest
from producer.cli import output
from producer.cli.session import Session, json_option, pass_session


@click.group("broker")
def group() -> None:
    """The embedded broker, which runs when no other is configured."""


def _embedded(session: Session) -> EmbeddedBroker:
    url = session.settings.broker_url
    if url:
        raise InvalidRequest(f"the broker is {masked(url)}, which is not ours to start or stop")
    return EmbeddedBroker(session.settings.home)


def masked(url: str) -> str:
    """The URL without its password."""
    return re.sub(r"^([^:]+://[^:/?#]*:)[^/?#]*@", r"\1***@", url)


@group.command()
@json_option
@pass_session
def start(session: Session) -> None:
    """Start the embedded broker; every command that needs it does so too."""
    embedded = _embedded(session)
    started = embedded.ensure_running()
    if session.as_json:
        output.document({"started": started, "pid": embedded.pid, "url": embedded.url})
        return
    click.echo(f"the embedded broker {'was started' if started else 'runs already'} (pid {embedded.pid})")
    output.next_command("launchyard queue list", "launchyard broker stop")


@group.command()
@json_option
@pass_session
def stop(session: Session) -> None:
    """Stop the embedded broker; its data stays on disk."""
    stopped = _embedded(session).stop()
    if session.as_json:
        output.document({"stopped": stopped})
        return
    click.echo("the embedded broker was stopped" if stopped else "the embedded broker was not running")
    output.next_command("launchyard broker start")


@group.command()
@json_option
@pass_session
def status(session: Session) -> None:
    """Say which broker is used and whether it answers; starts nothing. Exits with 7 when it does not answer."""
    configured = session.settings.broker_url
    embedded = None if configured else EmbeddedBroker(session.settings.home)
    if embedded and embedded.pid is None:
        raise BrokerUnavailable("the embedded broker is not running; start it with: launchyard broker start")
    url = masked(configured) if configured else embedded.url if embedded else ""
    queues = len(session.client.queues.list())
    if session.as_json:
        output.document(
            {"answers": True, "embedded": embedded is not None, "pid": embedded and embedded.pid, "url": url}
        )
        return
    output.fields(
        [
            ("broker", f"embedded (pid {embedded.pid})" if embedded else "configured"),
            ("url", url),
            ("folder", str(embedded.folder) if embedded else ""),
            ("queues", str(queues)),
        ]
    )
    output.next_command("launchyard queue list")


@group.command()
@json_option
@pass_session
def url(session: Session) -> None:
    """Print the broker's URL, password included, for other programs. Starts the embedded broker if needed."""
    found = broker_url(session.settings)
    if session.as_json:
        output.document({"url": found})
        return
    click.echo(found)


@group.command("acl")
@click.argument("role", metavar="ROLE", type=click.Choice([role.value for role in acl.Role]))
@click.option("--queue", "-q", "queues", multiple=True, metavar="NAME", help="For this queue, or TEAM/*; default: any.")
@click.option("--user", metavar="NAME", help="Print the user's line of the server's ACL file.")
@click.option("--password-file", type=click.File(), help="The password of that user; - for standard input.")
@json_option
@pass_session
def rules(session: Session, role: str, queues: Sequence[str], user: str | None, password_file: TextIO | None) -> None:
    """Print the smallest rights that a user of a broker of your own needs, as ACL SETUSER takes them.

    ROLE is producer, owner, agent, server or flower.
    """
    settings = session.settings
    found = acl.rules(acl.Role(role), settings.key_prefix, queues, database(settings))
    if user is not None:
        found = _line(user, found, password_file)
    if session.as_json:
        output.document({"role": role, "rules": found})
        return
    click.echo(found)


def _line(user: str, rules: str, password_file: TextIO | None) -> str:
    """The user in the words of an ACL file, which has the digest of the password alone."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", user):
        raise InvalidRequest(f"{user!r} cannot be a user's name; use letters, digits, '.', '_' and '-'")
    password = password_file.read().strip() if password_file else ""
    if not password:
        raise InvalidRequest(f"user {user!r} has no password; give it with --password-file FILE")
    return f"user {user} on #{hashlib.sha256(password.encode()).hexdigest()} {rules}"
