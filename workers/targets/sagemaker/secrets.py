"""Values that no request holds: where they are kept, and how a job is started that reads them.

What stands in a request is shown to everybody who may see the job. So the request has references only, and the program
in `start`, which puts the values into the environment of the job's own program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workers.targets.starting import PREFIX, variables_of

_PROGRAM = Path(__file__).with_name("start.py")
_REFERENCE = re.compile(r"arn:[^:]+:(secretsmanager|ssm):\S+|ssm:/\S+|secretsmanager:\S+")

OWN = "secretsmanager:launchyard/launchyard-"
"""Begins the reference to a value in a run's own secret."""


def name_of(run: str) -> str:
    """Of the secret in Secrets Manager that has the agent's values for a run."""
    return f"launchyard/{run}"


def references(run: str, names: Sequence[str], of_queue: Mapping[str, Any]) -> dict[str, str]:
    """By variable, where a value is: the agent's in the run's own secret, and those that the queue refers to.

    Raises:
        ValueError: when the queue's are no references.
    """
    for name, reference in of_queue.items():
        if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
            raise ValueError(
                f"'secrets' has no reference for {name!r}; write the ARN of a secret or a parameter, "
                "secretsmanager:NAME or ssm:/PATH, and #FIELD behind it for one field of a secret"
            )
    return {name: f"secretsmanager:{name_of(run)}#{name}" for name in names} | dict(of_queue)


def variables(referred: Mapping[str, str]) -> dict[str, str]:
    """What the environment of a job has in place of the values."""
    return {f"{PREFIX}{name}": reference for name, reference in referred.items()}


def program(limit: int) -> dict[str, str]:
    """The program that reads them, in parts of so many characters."""
    return variables_of(_PROGRAM, limit)
