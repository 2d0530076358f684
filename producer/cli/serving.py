"""`launchyard serve`: the server, in the foreground."""

from __future__ import annotations

import click

from broker_config.errors import ConfigError
from producer.cli import output, page
from producer.cli.programs import become, server_arguments
from producer.cli.session import Session, json_option, log_format_option, logging_as, pass_session


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address at which it answers.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=page.DEFAULT_PORT, show_default=True, help="The port there."
)
@log_format_option
@json_option
@pass_session
def serve(session: Session, host: str, port: int, log_format: str | None) -> None:
    """Answer the HTTP API before the broker, until Ctrl-C.

    Put a proxy with TLS before it where it is to be reached from other machines.
    """
    if not page.is_installed():
        raise ConfigError(page.MISSING)
    if session.as_json:
        output.line({"type": "server", "url": f"http://{host}:{port}"})
    else:
        output.note(f"server at http://{host}:{port}; its API is described at /api/v1/openapi.json")
        output.next_command(f"launchyard signin --url http://{host}:{port}", "launchyard key create NAME")
    become(logging_as(session.settings, log_format), server_arguments(host, port))


@click.command()
@click.option("--url", default=f"http://127.0.0.1:{page.DEFAULT_PORT}", show_default=True, help="Where the server is.")
@json_option
@pass_session
def signin(session: Session, url: str) -> None:
    """Print a link that signs you in at the server's page.

    It is made on the broker, for whoever reaches that. The first one to sign in so becomes an admin.
    """
    link = page.sign_in_link(session.store, url.rstrip("/"), session.settings.author)
    if session.as_json:
        output.document({"url": link})
        return
    click.echo(link)
    output.note(f"It signs {session.settings.author} in, {page.lasts()}.")
