"""A run's record as its object at a target carries it, for the day on which the broker's data are lost.

The spec stands in it to the letter, because its signature is for that text, and another version may write it in
another way.
"""

from __future__ import annotations

import json

from pydantic import ValidationError

from broker_config.errors import InvalidRequest
from broker_config.runs import Run

_BEFORE_SPEC = '{"spec":'


def write(run: Run, spec_text: str) -> str:
    """The record as JSON, with the spec as it is stored."""
    rest = run.model_dump_json(exclude={"spec"})
    return f"{_BEFORE_SPEC}{spec_text},{rest[1:]}"


def read(passport: str) -> tuple[Run, str]:
    """The record, and its spec to the letter.

    Raises:
        InvalidRequest: when this version cannot read it.
    """
    try:
        run = Run.model_validate_json(passport)
    except ValidationError as error:
        raise InvalidRequest("no record of a run that this version can read") from error
    if not passport.startswith(_BEFORE_SPEC):
        raise InvalidRequest("a record of a run that does not begin with its spec")
    _, end = json.JSONDecoder().raw_decode(passport, len(_BEFORE_SPEC))
    return run, passport[len(_BEFORE_SPEC) : end]
