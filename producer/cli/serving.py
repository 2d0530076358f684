"""`launchyard serve`: the server, in the foreground."""

from __future__ import annotations

from importlib.util import find_spec

import click

from broker_config.errors import ConfigError
from producer.cli import output
from producer.cli.programs import become, server_arguments
from producer.cli.session import Session, json_option, pass_session

DEFAULT_PORT = 8400


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address at which it answers.")
@click.option("--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True, help="The port there.")
@json_option
@pass_session
def serve(session: Session, host: str, port: int) -> None:
    """Answer the HTTP API before the broker, until Ctrl-C.

    Put a proxy with TLS before it where it is to be reached from other machines.
    """
    if find_spec("fastapi") is None:
        raise ConfigError("the server's packages are not installed; pip install 'launchyard[server]'")
    if session.as_json:
        output.line({"type": "server", "url": f"http://{host}:{port}"})
    else:
        output.note(f"server at http://{host}:{port}; its API is described at /api/v1/openapi.json")
        output.next_command("launchyard user create NAME --admin", "launchyard key create NAME")
    become(session.settings, server_arguments(host, port))
