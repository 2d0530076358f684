"""The shapes in which template variables come: our own, and those of W&B Launch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from broker_config.templates import TemplateVariable

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def _by_name(given: Any) -> Any:
    """Variables by name with their keywords flat, from each of the shapes that W&B Launch writes and from our own.

    Its API takes `{"cpu": {"schema": {...}, "description": "..."}}`, and answers with a list of
    `{"name": "cpu", "schema": "<JSON text>"}`.
    """
    if isinstance(given, Sequence) and not isinstance(given, str):
        if not all(isinstance(one, Mapping) and isinstance(one.get("name"), str) for one in given):
            raise ValueError("in a list, each template variable is an object with its name")
        names = [one["name"] for one in given]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"template variable {twice!r} is there twice")
        given = {one["name"]: one for one in given}
    if isinstance(given, Mapping):
        return {name: _flat(name, one) for name, one in given.items()}
    return given


def _flat(name: Any, given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    fields = {key: value for key, value in given.items() if value is not None}
    if fields.get("name") == name:
        del fields["name"]
    if "schema" not in fields:
        return fields
    schema = fields.pop("schema")
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError as problem:
            raise ValueError(f"the schema of {name!r} is not JSON: {problem}") from None
    return {**schema, **fields} if isinstance(schema, Mapping) else {"schema": schema, **fields}


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a template variable; use 1 to 64 letters, digits, '_' and '-', a letter first"
        )
    return name


TemplateVariables = Annotated[
    dict[Annotated[str, AfterValidator(_check_name)], TemplateVariable], BeforeValidator(_by_name)
]
