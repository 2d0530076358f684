"""Values that no request holds: how a job is started that reads them, and where they are.

What stands in a request is shown to everybody who may see the job. So the request has references only, and the program
in `start`, which puts the values into the environment of the job's own program, comes along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.targets.containers import Container
from workers.targets.starting import PREFIX, started, variables_of

PROJECT = "{project}"
"""Stands for the project in a reference to a run's own secret. Whoever submits fills it in."""

_REFERENCE = re.compile(r"projects/[^/]+/secrets/[\w-]+(/versions/\w+)?(#.+)?")
_PROGRAM = Path(__file__).with_name("start.py")
_PROGRAM_CHARACTERS = 30_000


def name_of(run: str) -> str:
    """Of the secret in Secret Manager that has the agent's values for a run."""
    return f"{run}-values"


def check(of_queue: Mapping[str, str]) -> None:
    """See that what the queue has are references.

    Raises:
        ValueError: when one is none.
    """
    for name, reference in of_queue.items():
        if not _REFERENCE.fullmatch(reference):
            raise ValueError(
                f"'secrets' has no reference for {name!r}; write projects/PROJECT/secrets/SECRET, /versions/VERSION "
                "behind it for one that is not the latest, and #FIELD for one field of JSON"
            )


def wrap(container: Container, run: str, of_agent: Sequence[str], of_queue: Mapping[str, str]) -> list[str]:
    """Have a container's command started by the program that reads secrets; those of the agent's that it reads.

    A variable that the container has already keeps its value.
    """
    listed = container.get("env") or []
    given = {one["name"] for one in listed}
    own = [name for name in of_agent if name not in given and name not in of_queue]
    referred = {name: f"projects/{PROJECT}/secrets/{name_of(run)}#{name}" for name in own} | dict(of_queue)
    if not referred or not container.get("command"):
        return []
    container["command"] = started(container["command"])
    container["env"] = [*listed, *({"name": f"{PREFIX}{name}", "value": text} for name, text in referred.items())]
    return own


def program() -> list[Container]:
    """The variables with the program."""
    found = variables_of(_PROGRAM, _PROGRAM_CHARACTERS)
    return [{"name": name, "value": part} for name, part in found.items()]


def is_wrapped(container: Container) -> bool:
    """Whether the program is to come along."""
    return any(one["name"].startswith(PREFIX) for one in container.get("env", ()))
