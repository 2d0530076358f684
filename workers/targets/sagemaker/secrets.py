"""Values that no request holds: where they are kept, and how a job is started that reads them.

What stands in a request is shown to everybody who may see the job. So the request has references only, and the program
in `start`, which puts the values into the environment of the job's own program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workers.targets.sagemaker.start import PREFIX

_PROGRAM = "LAUNCHYARD_START_"
_REFERENCE = re.compile(r"arn:[^:]+:(secretsmanager|ssm):\S+|ssm:/\S+|secretsmanager:\S+")
_LOADER = (
    "import os;e=os.environ;"
    f"exec(''.join(e.pop(k)for k in sorted(e)if k.startswith({_PROGRAM!r})),{{'__name__':'__main__'}})"
)
"""One line, as SageMaker takes no other."""

_WITH_ANY_PYTHON = (
    'command -v python3 >/dev/null 2>&1 && exec python3 -c "$0" "$@"; '
    'echo "launchyard: this image has no python3, so the job starts without its secrets" >&2; exec "$@"'
)

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
    """The program that reads them, in parts of so many characters.

    It goes into a job as it is submitted, and is no part of the request: agents of two versions give the same one.
    """
    # Without what it tells to its readers.
    text = Path(__file__).with_name("start.py").read_text(encoding="utf-8").split('"""', 2)[2]
    parts = [text[start : start + limit] for start in range(0, len(text), limit)]
    return {f"{_PROGRAM}{place:02}": part for place, part in enumerate(parts)}


def started(entry_point: Sequence[str]) -> list[str]:
    """The entry point behind the program that reads the secrets: in its own Python, or in what the image has."""
    if re.fullmatch(r"(\S*/)?python[\d.]*", entry_point[0]):
        return [entry_point[0], "-c", _LOADER, *entry_point]
    return ["/bin/sh", "-c", _WITH_ANY_PYTHON, _LOADER, *entry_point]
