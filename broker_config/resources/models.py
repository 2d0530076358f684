"""The check of a config that has a model of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from broker_config.findings import Finding, error
from broker_config.frozen import problems
from broker_config.placeholders import is_open
from broker_config.pointers import to_pointer


def check(model: type[BaseModel], config: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with a config, but for places whose value only the agent will know."""
    return [
        error(to_pointer(tuple(str(part) for part in problem.place)), problem.text)
        for problem in problems(model, config)
        if not is_open(problem.given)
    ]
