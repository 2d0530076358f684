"""`launchyard build`: the image of a launch, without the launch."""

from __future__ import annotations

from typing import Any

import click

from producer.cli import output
from producer.cli.launching import launch_fields, launch_options
from producer.cli.session import Session, json_option, pass_session


@click.command(context_settings={"allow_interspersed_args": False})
@launch_options
@click.option("--dockerfile-only", is_flag=True, help="Print the Dockerfile that would be built; needs no builder.")
@json_option
@pass_session
def build(session: Session, /, dockerfile_only: bool, **options: Any) -> None:
    """Build the image of a launch here, and launch nothing.

    The options are those of launch. The image is built, named and pushed as an agent with this machine's
    launch-config.yaml would, so that a launch of the same finds it.
    """
    answer = session.client.build(dockerfile_only=dockerfile_only, **launch_fields(session, options))
    if session.as_json:
        output.document(answer.model_dump(mode="json", exclude={"error"}))
    elif dockerfile_only:
        output.note(f"Dockerfile: {answer.origin}")
        click.echo(answer.dockerfile, nl=False)
    else:
        output.fields(
            [
                ("image", answer.reference),
                ("key", answer.key),
                ("origin", "reused" if answer.is_reused else "built"),
                ("size", f"{answer.size_bytes / 1e6:,.1f} MB" if answer.size_bytes is not None else ""),
                ("took", f"{answer.seconds:.1f} s"),
            ]
        )
