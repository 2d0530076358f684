"""The base of every model that crosses a boundary: immutable, and strict about unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from broker_config.errors import InvalidRequest, did_you_mean


class Frozen(BaseModel):
    """An immutable value. Unknown fields are refused; a change makes a new value."""

    # An input may hold a password, so no error of pydantic's repeats it.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], data: Mapping[str, Any], what: str) -> M:
    """Validate `data` as `model`.

    `what` names the thing in the error, as in "queue 'gpu'".

    Raises:
        InvalidRequest: when a field is unknown, missing or of the wrong type; every such field is named.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidRequest(f"{what}: " + "; ".join(_sentence(model, d) for d in details)) from error


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = model.model_fields if len(detail["loc"]) == 1 else ()
        return f"unknown field {path!r}{did_you_mean(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"field {path!r} is missing"
    # Errors that we raise in validators carry their own sentence; pydantic puts a prefix before it.
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message
