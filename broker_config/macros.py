"""Macros: what the agent knows of a run when it submits it, `${name}` in the texts of a config.

A name in lower case is one of `BUILT_IN`; one in UPPER CASE is a variable of the agent's environment, which the agent's
config lets through by name. So which names can be known is seen before an agent has the run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from broker_config.errors import did_you_mean
from broker_config.findings import Finding, error
from broker_config.placeholders import macros_in
from broker_config.pointers import keys, leaves, to_pointer

BUILT_IN: Mapping[str, str] = {
    "project_name": "the run's project, in lower case",
    "entity_name": "the entity that owns the queue",
    "run_id": "the run's id",
    "run_name": "the run's name",
    "image_uri": "the image that the job runs; not on resources that run no image",
    "author": "who launched the run",
    "queue": "the queue's name",
    "attempt": "the attempt's number, from 1",
}
"""Macros that every agent knows, and what they stand for."""

ENVIRONMENT_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


def names_in(config: Mapping[str, Any]) -> set[str]:
    """The macros that a config has in its values."""
    return {name for _, leaf in leaves(config) if isinstance(leaf, str) for name in macros_in(leaf)}


def check(config: Mapping[str, Any]) -> list[Finding]:
    """Macros that no agent can know."""
    found = [
        error(to_pointer(path), f"macro '${{{name}}}' cannot be in a key; put it into a value")
        for path, key in keys(config)
        for name in macros_in(key)
    ]
    return found + [
        error(
            to_pointer(path),
            f"macro '${{{name}}}' does not exist, and '$${{{name}}}' writes plain text{did_you_mean(name, BUILT_IN)}",
        )
        for path, leaf in leaves(config)
        if isinstance(leaf, str)
        for name in dict.fromkeys(macros_in(leaf))
        if name not in BUILT_IN and not ENVIRONMENT_NAME.fullmatch(name)
    ]
